"""How much: body surface, dosing weight, dose, and whether what was signed still holds."""
