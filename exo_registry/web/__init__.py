"""What pages, admin and API share: middleware, form fields, log-in, conditional answers."""
