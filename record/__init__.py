"""The record of a ward: its rows, who reads them, and what waits in the inbox. Only activities and the inbox write rows."""
