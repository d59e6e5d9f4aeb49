"""Many parts: `plan` finds them, `pool` has them converted by `work`, `ledger` keeps what became of each."""
