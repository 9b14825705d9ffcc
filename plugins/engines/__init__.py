"""Built-in engines: what runs requests on hardware."""
