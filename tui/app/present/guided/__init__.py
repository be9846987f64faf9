"""The guided check as text: questions, places, steps, proof, the closing page.  Pure."""
