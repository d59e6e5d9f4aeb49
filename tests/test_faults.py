"""Faults from the field, one a row: what each file has to become. `pytest -s` prints the table."""

from itertools import chain

import pytest
from faults import bodies, clouds, scenes, texts

from cadcode.sandbox.sandbox import Sandbox

FAULTS = tuple(chain(scenes.FAULTS, texts.FAULTS, clouds.FAULTS, bodies.FAULTS))


def test_names_are_used_once():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as opened:
        yield opened


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault(fault, tmp_path, request):
    cad_reader = request.getfixturevalue("sandbox").read_cad if fault.needs_kernel else None
    short = fault.shortfalls(fault.read(tmp_path, cad_reader))
    print(f"{fault.name:<44} {'ok' if not short else 'WRONG: ' + '; '.join(short):<12} {fault.right()}")
    assert not short
