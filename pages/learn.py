"""How does it work?"""

from dpcore.language import N_
from dpcore.ui.core import frame
from dpcore.ui.lesson import guide

frame.page(N_("Learn"), N_("How does one learn from everybody, and hardly anything about anybody?"))
guide.show()
