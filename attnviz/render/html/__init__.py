"""Pages for a browser: one file with everything in it. `web/` holds the modules and styles that go into it."""
