"""The source report's comparisons as data: every row trained, judged, drawn and explained."""
