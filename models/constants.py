"""Constants of nature."""

LIGHT_KM_S = 299792.458
"""Speed of light in vacuum, km/s; exact."""
