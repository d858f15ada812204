"""Veno-occlusive disease: its signs, definitions, ladder, severity and risk."""
