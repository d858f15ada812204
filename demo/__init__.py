"""The invented ward: patients, laboratory bundles, the people at the bedside, and the driver that moves a course's clock.

Nobody here is real. On a ward (mode `ward`) nothing of this runs.
"""
