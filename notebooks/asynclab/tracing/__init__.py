"""What every task really did: recorded (`recorder`), drawn (`drawing`), and shown, also in words (`timeline`).

`recorder`, with `awaiting` and `replacing`, needs the standard library alone: import it where nothing is drawn.
"""
