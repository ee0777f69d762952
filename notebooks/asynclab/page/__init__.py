"""The one way a thing is shown: a figure's style, its HTML, a table, a number. Nothing of ours is imported here."""
