"""How does it work?"""

from dpcore.language import N_
from dpcore.ui.core import frame
from dpcore.ui.lesson import guide

frame.page(N_("Learn"), N_("How can a model learn from all users, and reveal hardly anything about each?"))
guide.show()
