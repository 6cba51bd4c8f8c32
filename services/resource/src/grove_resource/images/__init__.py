"""Pictures that people upload, and the small ones made of them."""
