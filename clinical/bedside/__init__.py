"""From the signature to the end of observation: preparation, infusion, reactions, amounts."""
