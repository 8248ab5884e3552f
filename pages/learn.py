"""How does it work?"""

from dpcore.language import N_
from dpcore.ui import frame, lesson

frame.page(N_("Learn"), N_("How does one learn from everybody, and hardly anything about anybody?"))
lesson.show()
