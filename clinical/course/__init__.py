"""The course as every rule sees it: interruptions, dose levels, the dose that is next, pregnancy."""
