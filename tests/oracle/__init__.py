"""An oracle of the engine's numbers: the rules once more, in plain and slow Python.

It is written from the rules and shares no code with the engine: a market is lists of rows, a session is looked up in
them anew, a position is a dictionary. `simulate` computes a series, and `test_oracle` holds the engine to it on random
markets. What a rule means is decided here by small examples with figures worked out by hand (`test_rules`).

- `tables`: what a market is made of
- `quotes`: what is known of it at a session, and what a contract is worth
- `choosing`: which future, chain and strikes a rule means
- `book`: a position, its trades and its profit and loss
- `strategies`: what the algorithms do at a session
- `simulator`: the sessions one after the other
- `markets`: random markets
- `definitions`: what is computed of them, by the oracle and by the engine
- `engine`: a market of the oracle as the engine takes it
"""
