"""Programs as token ids: there and back again, and a grammar that leads to programs only."""

import functools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from strategies import programs

from cadcode.data.shapes import random_program
from cadcode.program import tokens
from cadcode.program.canonical import canonical
from cadcode.program.parse import parse
from cadcode.program.text.compact import compact
from cadcode.program.tokens import END, IDS, PAD, PIECES, START, VALUES, State, advance, allowed_ids, decode, encode
from cadcode.program.transform import control_box
from cadcode.program.tree import Arc, Loop, Program

HEAD = "import cadquery as cq\nr=cq.Workplane('XY').workplane(offset=-5).sketch()"
BOX = HEAD + ".push([(0,0)]).rect(8,4).finalize().extrude(10)"


@functools.cache
def generated():
    rng = np.random.default_rng(5)
    return [random_program(rng) for _ in range(150)]


def accepted(ids) -> State:
    """The state after all ids; ValueError where the grammar refuses one."""
    return functools.reduce(advance, ids, State())


def loops(program):
    return [f.outline for s in program.steps for f in s.body.faces if isinstance(f.outline, Loop)]


# --- there and back --------------------------------------------------------------------------------------------------


def test_generated_programs_come_back_from_their_ids():
    for program in generated():
        assert decode(encode(compact(program))) == compact(program)
        assert parse(decode(encode(compact(program)))) == program


@settings(max_examples=60, deadline=None)
@given(programs())
def test_any_program_on_the_grid_comes_back_from_its_ids(program):
    ids = encode(compact(program))
    assert ids[-1] == END and START not in ids and PAD not in ids
    assert decode(ids) == compact(program)


def test_a_number_is_one_token_and_special_tokens_leave_no_text():
    ids = encode(BOX)
    assert [VALUES[i] for i in ids if not np.isnan(VALUES[i])] == [-5, 0, 0, 8, 4, 10]
    assert decode([START, *ids, PAD, PAD]) == BOX


def test_every_number_of_the_vocabulary_is_spelled_and_read_back():
    for piece, value in zip(PIECES, VALUES, strict=True):
        if not np.isnan(value):
            assert float(piece[1:]) == value
            assert encode(f"{tokens.CIRCLE}{piece[1:]}") == [IDS[tokens.CIRCLE], IDS[piece], END]


@pytest.mark.parametrize("number", ["0.25", "201", "-101", "-100.5", "100.5", "1e2", "x", "--3", "3.", "07.5.5"])
def test_other_numbers_are_refused(number):
    with pytest.raises(ValueError, match="not in the vocabulary"):
        encode(BOX.replace("10", number))


def test_ids_and_pieces_are_one_to_one():
    assert len(IDS) == len(PIECES) == len(VALUES)
    assert [PIECES[IDS[p]] for p in PIECES] == list(PIECES)


# --- the grammar -----------------------------------------------------------------------------------------------------


def test_the_grammar_accepts_every_generated_program():
    for program in generated():
        assert accepted(encode(compact(program))).name == "end"


@settings(max_examples=60, deadline=None)
@given(programs())
def test_the_grammar_accepts_every_canonical_program_within_the_frame(program):
    program = canonical(program)
    assume(np.abs(control_box(program)).max() <= 100)
    assert accepted(encode(compact(program))).name == "end"


def walk(rng, most=150):
    """Ids of a random way through the grammar that ends things more often than not."""
    ids, state = [], State()
    while state.name != "end" and len(ids) < most:
        allowed = allowed_ids(state)
        ending = [i for i in allowed if PIECES[i] in ENDINGS]
        ids.append(int(rng.choice(ending if ending and rng.random() < 0.6 else allowed)))
        state = advance(state, ids[-1])
    return ids


ENDINGS = {"<end>", tokens.EXTRUDE, tokens.CLOSE, tokens.ASSEMBLE, tokens.CIRCLE, tokens.RECT}


def narrow_walk(rng, values, most=80):
    """The same with few different numbers, so that points coincide and line up all the time."""
    few = {i for i, v in enumerate(VALUES) if np.isnan(v) or v in values}
    ids, state = [], State()
    while state.name != "end" and len(ids) < most:
        allowed = [i for i in allowed_ids(state) if i in few] or allowed_ids(state)
        ids.append(int(rng.choice(allowed)))
        state = advance(state, ids[-1])
    return ids


@pytest.mark.parametrize("seed", range(4))
def test_random_ways_through_the_grammar_are_programs(seed):
    rng = np.random.default_rng(seed)
    walks = [walk(rng) for _ in range(100)] + [narrow_walk(rng, {0, 1, 2}) for _ in range(100)]
    closed = [ids if ids[-1] == END else tokens.close_at_last_body(ids) for ids in walks]
    found = [parse(decode(ids)) for ids in closed if ids]
    assert len(found) > 120
    assert [p for p in found if not isinstance(p, Program)] == []


def test_loops_of_random_ways_have_edges_with_a_length_arcs_with_a_bend_and_some_area():
    rng = np.random.default_rng(11)
    walks = [tokens.close_at_last_body(narrow_walk(rng, {0, 1, 2})) for _ in range(400)]
    found = [loop for ids in walks if ids for loop in loops(parse(decode(ids)))]
    assert len(found) > 100
    for loop in found:
        starts = [loop.start, *(e.end for e in loop.edges[:-1])]
        assert all(a != e.end for a, e in zip(starts, loop.edges, strict=True))
        assert all(bend(a, e) != 0 for a, e in zip(starts, loop.edges, strict=True) if isinstance(e, Arc))
        assert len(loop.edges) > 2 or any(isinstance(e, Arc) for e in loop.edges)


def bend(start, arc):
    (ax, ay), (bx, by), (cx, cy) = start, arc.middle, arc.end
    return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)


@pytest.mark.parametrize(
    "loop",
    [
        ".segment((0,0),(5,0)).close()",  # a line there and back
        ".segment((0,0),(5,0)).segment((9,0)).close()",  # all on a line
        ".segment((0,0),(0,0)).segment((9,5)).close()",  # an edge of no length
        ".segment((0,0),(5,0)).segment((5,5)).segment((0,0))",  # a line to the start instead of close()
        ".arc((0,0),(5,5),(0,0))",  # one arc
        ".arc((0,0),(0,5),(0,9)).close()",
        ".arc((0,0),(5,5),(9,9)).close()",
        ".arc((0,0),(5,5),(5,5)).close()",
        ".arc((0,0),(0,0),(5,5)).close()",  # arcs without a bend
        ".arc((0,0),(5,5),(10,0)).arc((5,5),(0,0))",  # an arc there and back
    ],
)
def test_outlines_that_are_none_are_refused(loop):
    text = BOX.replace(".push([(0,0)]).rect(8,4)", loop + ".assemble()")
    with pytest.raises(ValueError, match="may not follow"):
        accepted(encode(text))


@pytest.mark.parametrize(
    "loop",
    [
        ".segment((0,0),(5,0)).segment((5,5)).close()",
        ".arc((0,0),(5,5),(10,0)).close()",
        ".arc((0,0),(5,5),(10,0)).arc((5,-5),(0,0))",
        ".segment((0,0),(5,0)).arc((3,9),(0,0))",
        ".segment((0,0),(5,0)).segment((5,5)).segment((0,5)).close()",
    ],
)
def test_outlines_that_are_some_are_allowed(loop):
    text = BOX.replace(".push([(0,0)]).rect(8,4)", loop + ".assemble()")
    assert accepted(encode(text)).name == "end"
    assert loops(parse(text))[0].area() > 1


@pytest.mark.parametrize(
    "text",
    [
        BOX.replace("rect(8,4)", "rect(8,4,mode='s')"),  # the first face takes away
        BOX.replace("rect(8,4)", "rect(8,0)"),
        BOX.replace("(8,4)", "(8,-4)"),
        BOX.replace("extrude(10)", "extrude(0)"),
        BOX.replace("rect(8,4)", "circle(-2)"),
        BOX.replace("(0,0)", "(101,0)"),
        BOX + ".finalize()",
        BOX[:-4],
    ],
)
def test_programs_that_are_none_are_refused(text):
    with pytest.raises(ValueError, match="not in the vocabulary|may not follow"):
        accepted(encode(text))


def test_no_state_before_the_end_is_without_a_way_on():
    rng = np.random.default_rng(3)
    for _ in range(100):
        state = State()
        for token in narrow_walk(rng, {0, 1}):
            assert len(allowed_ids(state)) > 0
            state = advance(state, token)


# --- the length limit ------------------------------------------------------------------------------------------------


def test_a_program_cut_anywhere_closes_at_its_last_whole_body():
    program = next(p for p in generated() if len(p.steps) >= 3)
    ids, bodies = encode(compact(program)), 0
    for count in range(len(ids)):
        closed = tokens.close_at_last_body(ids[:count])
        if closed is None:
            assert bodies == 0
            continue
        found = parse(decode(closed))
        assert found.steps == program.steps[: len(found.steps)]
        assert bodies <= len(found.steps) <= bodies + 1  # one more at a time
        bodies = len(found.steps)
    assert bodies == len(program.steps)


def test_nothing_whole_closes_to_nothing():
    assert tokens.close_at_last_body([]) is None
    assert tokens.close_at_last_body(encode(BOX)[:-2]) is None
