"""The laboratory bench that the chapters share: it measures, draws and checks; it is never the subject taught."""

from .exercises import progress
from .plots.comparison import compare
from .plots.sweep import sweep
from .services import Services
from .session import begin, end
from .sliders.explorer import explore
from .tracing.timeline import trace

__all__ = ["Services", "begin", "compare", "end", "explore", "progress", "sweep", "trace"]
