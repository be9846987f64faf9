"""The services of a live host: captures, flows and their probes, forms.  They run in worker threads."""
