"""Which laboratory result may be used, and what holds or opens where one cannot be."""
