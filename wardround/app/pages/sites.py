"""Sites: who gets which images, as it is decided."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from wardround.app.desk import Desk
from wardround.app.language import said
from wardround.app.page import Page
from wardround.app.theme import theme
from wardround.app.views.command import command_of
from wardround.app.views.sites import Examples, SharedOut, examples, shared_out
from wardround.app.widgets.dealing import Dealing
from wardround.app.widgets.empty import Empty
from wardround.app.widgets.plot import StackedBars
from wardround.app.widgets.remarks import Remarks
from wardround.app.widgets.rows import PictureRows
from wardround.app.widgets.table import TableView
from wardround.app.widgets.text import heading, label, muted
from wardround.errors import WardroundError

PAUSE_MS = 150  # after the last change, before images are dealt anew
HEIGHT = 320  # of the chart
SEVERAL = 4  # sites whose examples are shown together
EACH, MANY = 9, 27  # examples of each of several sites, and of one


class SitesPage(Page):
    """On the left how images are dealt, on the right what that comes to."""

    key = "sites"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._asked: Any = None  # what the deal that is shown, or asked for, was made from
        self._found: SharedOut | None = None
        self._problem = ""  # why there is no deal
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self._deal)
        self._empty = Empty(self.tr("No plan is open. A plan says which images are used and how hospitals share them."),
                            self.tr("&Choose a plan on the page Start"), lambda: desk.go("start"))
        desk.slow.idle.connect(self._was_cancelled)
        self._dealing = Dealing()
        self._dealing.changed.connect(self._change)
        self._content = QWidget()
        row = QHBoxLayout()
        row.setSpacing(theme().px(16))
        row.addWidget(self._left(), 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(self._right(), 1)
        column = QVBoxLayout(self._content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().px(10))
        column.addLayout(row)
        column.addLayout(self._below())
        column.addStretch(1)
        self.body.addWidget(self._empty, 1)
        self.body.addWidget(self._content, 1)

    def title(self) -> str:
        return self.tr("Sites")

    def purpose(self) -> str:
        return self.tr("Who holds which images. No patient is at two sites, and a site is tested on the kind of patients it trains on.")

    def refresh(self) -> None:
        draft = self.desk.draft
        self._empty.setVisible(not draft.text)
        self._content.setVisible(bool(draft.text))
        self.show_command(command_of(draft, "sites"))
        if not draft.text:
            return
        if draft.plan is None:
            self.complain(draft.problem)
            return
        self._dealing.show_plan(draft)
        asked = (draft.plan.data, draft.plan.split, draft.plan.sites, draft.plan.seed)
        if asked != self._asked:
            self._asked, self._problem = asked, ""
            self._pause.start()
        else:
            self._judge()

    def showEvent(self, event: QShowEvent) -> None:
        """What failed, or was cancelled, is tried again when one comes back."""
        super().showEvent(event)
        if self._found is None:
            self._asked = None

    def _left(self) -> QWidget:
        panel = QFrame()
        panel.setProperty("look", "panel")
        panel.setFixedWidth(theme().px(330))
        column = QVBoxLayout(panel)
        column.setContentsMargins(*[theme().px(14)] * 4)
        column.addWidget(self._dealing)
        return panel

    def _right(self) -> QVBoxLayout:
        self._summary, self._notice, self._chart = heading(""), label("", look="caution"), StackedBars(height=HEIGHT)
        self._remarks = Remarks(self.tr("Every site holds every class, and enough test images."))
        self._summary.setObjectName("sites.summary")
        self._chart.setObjectName("sites.chart")
        self._chart.setMaximumHeight(theme().px(HEIGHT))
        self._remarks.setObjectName("sites.remarks")
        column = QVBoxLayout()
        column.setSpacing(theme().px(8))
        for widget in (self._summary, self._notice, self._chart, self._remarks):
            column.addWidget(widget)
        column.addStretch(1)
        return column

    def _below(self) -> QVBoxLayout:
        self._table, self._caption, self._whose, self._rows = TableView(), muted(""), QComboBox(), PictureRows()
        self._table.setObjectName("sites.table")
        self._table.horizontalHeader().setStretchLastSection(False)
        self._table.setAccessibleName(self.tr("Images of each site"))
        self._whose.setObjectName("sites.whose")
        self._whose.setAccessibleName(self.tr("Sites whose images are shown"))
        self._whose.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._whose.currentIndexChanged.connect(self._ask_examples)
        self._whose_label = QLabel(self.tr("Training &images of"))
        self._whose_label.setBuddy(self._whose)
        choice = QHBoxLayout()
        choice.addWidget(self._whose_label)
        choice.addWidget(self._whose)
        choice.addStretch(1)
        column = QVBoxLayout()
        column.setSpacing(theme().px(8))
        column.addWidget(self._table)
        column.addWidget(self._caption)
        column.addLayout(choice)
        column.addWidget(self._rows)
        self._show_nothing(self.tr("Images are read\N{HORIZONTAL ELLIPSIS} the first time this takes a while."))
        return column

    def _change(self, keys: dict[str, Any]) -> None:
        """Write what the user has set into the plan: one change, however many keys it takes."""
        try:
            draft = self.desk.draft
            for key, value in keys.items():
                draft = draft.with_key(key, value)
            self.desk.set_text(draft.text)
        except WardroundError as error:
            self.complain(str(error))
        self.refresh()

    def _deal(self) -> None:
        plan = self.desk.draft.plan
        if plan is not None:
            self.ask(shared_out, plan, done=self._show, failed=self._fail, key="sites", slow=True)

    def _was_cancelled(self) -> None:
        """Nothing is at work any more, and no answer came."""
        if self._asked is not None and self._found is None and not self._problem and not self._pause.isActive():
            self._show_nothing(self.tr("Reading the images was cancelled. Any change, or coming back to this page, begins it again."))

    def _fail(self, error: str) -> None:
        self._found, self._problem = None, error
        self._show_nothing(self.tr("Nothing can be dealt out. The message above says why."))
        self._judge()

    def _show(self, found: SharedOut) -> None:
        self._found, self._problem = found, found.problem
        self._dealing.show_choices(found.classes, found.columns)
        self._judge()
        if found.problem:
            self._show_nothing(self.tr("Nothing can be dealt out. The message above says why."))
            return
        self._set_visible(True)
        many = self.tr("%n site(s)", "", len(found.sites))
        self._summary.setText(many if found.distance is None else self.tr("{}, labels {} ({:.2f} of 1)").format(
            many, said(found.distance_word), found.distance))
        self._summary.setToolTip(self.tr("How far a site's mix of labels is from that of all sites, on average: 0 is equal, 1 is disjoint. "
                                         "Half the sum of the differences of the shares, of training images."))
        self._notice.setText(said(found.notice))
        self._notice.setVisible(bool(found.notice))
        self._chart.labels("", "", self.tr("Training images"))
        self._chart.show_counts(found.chart_sites, found.chart_classes, found.chart_counts)
        self._table.show_grid(found.table)
        self._table.setMinimumHeight(self._table.maximumHeight())
        self._caption.setText(said(found.table.caption))
        self._remarks.show_remarks(found.remarks)
        self._offer(found.sites)

    def _judge(self) -> None:
        if self._problem:
            self.complain(self._problem)
        else:
            self.calm()

    def _offer(self, sites: tuple[str, ...]) -> None:
        """Sites whose examples can be looked at; the choice stays where it can."""
        before = self._whose.currentData()
        self._whose.blockSignals(True)
        self._whose.clear()
        first = self.tr("all sites") if len(sites) <= SEVERAL else self.tr("the first {} sites").format(SEVERAL)
        self._whose.addItem(first, "")
        for site in sites:
            self._whose.addItem(site, site)
        self._whose.setCurrentIndex(max(0, self._whose.findData(before)))
        self._whose.blockSignals(False)
        self._ask_examples()

    def _ask_examples(self) -> None:
        plan, found, site = self.desk.draft.plan, self._found, self._whose.currentData()
        if plan is not None and found is not None and found.sites:
            sites, each = ((site,), MANY) if site else (found.sites[:SEVERAL], EACH)
            self.ask(examples, plan, sites, each, done=self._show_examples, key="examples", slow=True)

    def _show_examples(self, found: tuple[Examples, ...]) -> None:
        self._rows.show_rows([(part.site if not start else "", part.images[start:start + EACH], part.captions[start:start + EACH])
                              for part in found for start in range(0, len(part.images), EACH)])

    def _show_nothing(self, text: str) -> None:
        """A sentence in place of the chart."""
        self._set_visible(False)
        self._summary.setText(text)

    def _set_visible(self, is_visible: bool) -> None:
        for widget in (self._notice, self._chart, self._remarks, self._table, self._caption, self._whose, self._whose_label, self._rows):
            widget.setVisible(is_visible)
