"""Controls that run the real experiment again: how runs take turns (`explorer`), and what is moved (`widgets`)."""
