"""One page a file. A page asks `app.views`, shows the answer, and starts commands; it works nothing out."""
