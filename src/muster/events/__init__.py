"""Events: facts for others, written in the same transaction as their cause, relayed to subscribers."""
