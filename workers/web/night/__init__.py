"""The last results of a night in bounded memory, as the page's requests ask for them."""
