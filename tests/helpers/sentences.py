"""The two sentences that most tests read: they differ in their last word, and with it in what "it" means."""

TIRED = "The animal didn't cross the street because it was too tired"
WIDE = "The animal didn't cross the street because it was too wide"
