"""The names of the loss core's tables, free of torch: for --help, the page and configurations."""

__all__ = ["DIVERGENCE_NAMES", "FORM_NAMES", "FREE_METHODS", "METHOD_NAMES"]

DIVERGENCE_NAMES = (
    "forward-kl",
    "reverse-kl",
    "jeffrey-kl",
    "chi-square",
    "jensen-shannon",
    "hellinger",
)
FORM_NAMES = ("paper", "exact", "integral")
METHOD_NAMES = (
    "uni-instruct",
    "sds",
    "vsd",
    "diff-instruct",
    "dmd",
    "sim",
    "sid",
    "f-distill-forward-kl",
    "f-distill-reverse-kl",
    "f-distill-jensen-shannon",
)
FREE_METHODS = ("uni-instruct",)  # the others fix their divergence
