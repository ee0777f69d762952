"""The laboratory bench that the chapters share: it measures, draws and checks; it is never the subject taught."""
