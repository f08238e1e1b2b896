"""Open a plan, pick the engine, run or resume: the one door for command line, app and library."""

from wardround.session.comparison import compare
from wardround.session.prediction import Prediction, predict
from wardround.session.single import resume, run
from wardround.session.versus import contrast

__all__ = ["Prediction", "compare", "contrast", "predict", "resume", "run"]
