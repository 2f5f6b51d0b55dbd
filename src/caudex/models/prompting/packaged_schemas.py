"""Thirty pairs of Winograd schemas, written for caudex: none is from a published set, and no model was asked before they were
final. One word turns the answer from the first candidate to the second."""

from __future__ import annotations

TWINS = [
    ("The nurse woke the doctor because _ had {} the alarm.", ("heard", "missed"), ("the nurse", "the doctor")),
    ("Elena sold her piano to Ruth because _ needed {}.", ("money", "practice"), ("Elena", "Ruth")),
    ("The soup stayed warm longer than the tea because _ was kept in {} pot.", ("a closed", "an open"), ("the soup", "the tea")),
    ("Viktor did not catch what Pavel was explaining because _ {} all the time.", ("dozed", "mumbled"), ("Viktor", "Pavel")),
    ("The violin drowned out the flute because _ was played so {}.", ("loudly", "softly"), ("the violin", "the flute")),
    ("The hawk did not catch the rabbit because _ was too {}.", ("clumsy", "nimble"), ("the hawk", "the rabbit")),
    ("Priya asked Leila for directions because _ had {} lived in that town.", ("never", "always"), ("Priya", "Leila")),
    ("The waiter apologised to the guest because _ had {} the wrong dish.", ("brought", "received"), ("the waiter", "the guest")),
    ("Oscar overtook Bruno just before the finish because _ was still {}.", ("fresh", "limping"), ("Oscar", "Bruno")),
    ("The paint did not stick to the plastic because _ was too {}.", ("watery", "smooth"), ("the paint", "the plastic")),
    ("Hannah gave the book back to Clara because _ had {} it.", ("finished", "missed"), ("Hannah", "Clara")),
    ("The wooden bridge could not carry the tractor because _ was too {}.", ("rotten", "heavy"), ("the wooden bridge", "the tractor")),
    ("Tomas paid Henrik fifty euros because _ had {} the other's bicycle.", ("damaged", "repaired"), ("Tomas", "Henrik")),
    ("The knife did not go through the crust because _ was too {}.", ("blunt", "hard"), ("the knife", "the crust")),
    ("Amira had to wait for Nadia because _ was {}.", ("early", "late"), ("Amira", "Nadia")),
    ("The librarian hushed the visitor because _ {} noise.", ("hated", "made"), ("the librarian", "the visitor")),
    ("The hedge hid the bench from the road because _ was so {}.", ("tall", "low"), ("the hedge", "the bench")),
    ("Dmitri borrowed a coat from Anton because _ had {}.", ("none", "several"), ("Dmitri", "Anton")),
    ("The pharmacist ran after the patient because _ had {} the bag on the counter.", ("noticed", "left"), ("the pharmacist", "the patient")),
    ("The sugar dissolved in the coffee at once because _ was so {}.", ("fine", "hot"), ("the sugar", "the coffee")),
    ("Gustav let Emil drive because _ was {}.", ("tired", "rested"), ("Gustav", "Emil")),
    ("The river floods the meadow every spring because _ is so {}.", ("swollen", "flat"), ("the river", "the meadow")),
    ("Sofia taught Greta to swim because _ was a {} swimmer.", ("strong", "weak"), ("Sofia", "Greta")),
    ("The poster was hung over the stain because _ looked {}.", ("cheerful", "disgusting"), ("the poster", "the stain")),
    ("Nikolai hid from Stefan because _ was {}.", ("frightened", "furious"), ("Nikolai", "Stefan")),
    ("The photograph was taken out of the frame because _ had to be {}.", ("scanned", "varnished"), ("the photograph", "the frame")),
    ("The baker took on the apprentice because _ needed {}.", ("help", "work"), ("the baker", "the apprentice")),
    ("The reporter followed the minister for days because _ was {}.", ("curious", "corrupt"), ("the reporter", "the minister")),
    ("The blue kite rose higher than the red kite because _ had a {} string.", ("long", "short"), ("the blue kite", "the red kite")),
    ("Farid won the game of chess against Yusuf because _ made a {} move.", ("clever", "foolish"), ("Farid", "Yusuf")),
]  # fmt: skip
"""(sentence with _ for the pronoun and {} for the word, the two words, the two candidates)"""
