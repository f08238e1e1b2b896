"""What a site's worker process does with a message: train, evaluate, test, train alone, keep the final model."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np

from wardround.build import ArmBlueprint, initial_params
from wardround.core.events import silent
from wardround.core.exchange import EvaluateOrder, Order, SiteFailed, SiteReport, Update
from wardround.core.params import Layout, Params
from wardround.fleet.arena import params_fields
from wardround.fleet.header import MAX_BYTES, header_of
from wardround.fleet.wire import decode, encode
from wardround.fleet.worker import evaluated, trained
from wardround.network.approval import Approvals
from wardround.network.approved import approved_plan
from wardround.network.checks import check_evaluation, check_finite, check_order, check_test, check_weights
from wardround.network.envelope import NOBODY, Envelope
from wardround.network.folders import SiteFolder
from wardround.network.handover import check_record, write_delivered
from wardround.network.messages import Deliver, Delivered, Hello, LocalOrder, Ready, SecureOrder, SecureReply, SiteSummary, TestOrder
from wardround.network.policy import limits_of, refusal_of_plan
from wardround.network.reasons import Refusal, reason_of
from wardround.network.secure import SiteHalf
from wardround.network.spending import spend
from wardround.network.summary import local_summary, summarise
from wardround.network.supply import AtSite, Supply
from wardround.network.versions import Versions
from wardround.plan.schema import Plan
from wardround.runs.folder import RunFolder
from wardround.session.single import start
from wardround.sites.memory import Memory
from wardround.sites.site import Bench, Site
from wardround.strategies.base import Personal
from wardround.strategies.personal import Partial

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Work:
    """What the orders of one plan have in common. key: the plan's hash and the class weights."""

    key: tuple[str, tuple[float, ...] | None]
    blueprint: ArmBlueprint

    @property
    def plan(self) -> Plan:
        return self.blueprint.plan

    @cached_property
    def bench(self) -> Bench:
        return self.blueprint.bench()

    @property
    def layout(self) -> Layout:
        return self.bench.model.params.layout

    def here(self, message: Any) -> Any:
        """The message with its arrays on the device of the bench."""
        moved = {name: getattr(message, name) for name in params_fields(type(message))}
        return replace(message, **{name: Params(params.flat.to(self.bench.model.device), self.layout) for name, params in moved.items()})

    def with_first(self, strategy: Partial, params: Params) -> Params:
        """The params with the parts that stay at sites as they were first drawn: a server leaves out what it takes a site to remember."""
        whole, stays = params.clone(), strategy.stays(self.layout).to(params.flat.device)
        whole.flat[stays] = initial_params(self.blueprint).flat.to(params.flat.device)[stays]
        return whole


class Desk:
    """Answers the messages of a study at one site. Whatever goes wrong is a reply."""

    def __init__(self, folder: SiteFolder, *, notes: tuple[str, ...] = (), supply: Supply | None = None) -> None:
        """notes: what the first reply tells the coordinator. supply: where images and model come from; None: the site's folder."""
        self.folder, self.site, self.limits = folder, str(folder.record()["site"]), limits_of(folder.limits_file)
        self._supply = supply or AtSite(folder, self.limits)
        self._approvals = Approvals(folder.approvals_file)
        self._notes = list(notes)
        self._work: _Work | None = None
        self._secure = SiteHalf(folder, self.site, self._approvals, note=lambda text: self._notes.append(text))

    def answer(self, data: bytes) -> bytes:
        """The bytes of the reply. What an exception says in full goes to the log only."""
        envelope = replace(NOBODY, site=self.site)
        try:
            envelope = Envelope.of(header_of(memoryview(data), MAX_BYTES).head.envelope)
            message, keep = self._done(envelope, data)
            return encode(self._envelope(envelope, keep), message)
        except Exception as error:
            log.exception("a message of the server was not answered as it was meant to be")
            return encode(self._envelope(envelope, ""), SiteFailed(site=self.site, reason=reason_of(error)))

    def _envelope(self, asked: Envelope, keep: str) -> dict[str, Any]:
        """Of the reply, with the notes that are due."""
        notes, self._notes = tuple(self._notes), []
        return replace(asked, weights=None, memory="", keep=keep, notes=notes).record()

    def _done(self, envelope: Envelope, data: bytes) -> tuple[Any, str]:
        """The reply's message, and the version under which something is remembered now, "" for none."""
        if envelope.site != self.site:
            raise Refusal(f"this is for site '{envelope.site}', and here is '{self.site}'.")
        approved = approved_plan(self._approvals, envelope.plan, self.site)
        plan = self._supply.plan(approved)
        if header_of(memoryview(data), MAX_BYTES).head.kind == Hello.__name__:
            return self._ready(plan), ""
        work = self._work_of(plan, envelope)
        known = (work.blueprint.strategy.order_type, EvaluateOrder, TestOrder, LocalOrder, Deliver)
        kinds = {kind.__name__: kind for kind in (*known, *((SecureOrder,) if work.plan.aggregation.secure else ()))}
        message = decode(data, kinds, work.layout)[1]
        if isinstance(message, SecureOrder):
            return self._secure.answer(message, envelope, work.plan, work.layout), ""
        if isinstance(message, Order):
            return self._trained(work, envelope, message)
        if isinstance(message, EvaluateOrder):
            return self._evaluated(work, envelope, message), ""
        if isinstance(message, TestOrder):
            return self._tested(work, envelope, message), ""
        if isinstance(message, LocalOrder):
            return self._alone(work), ""
        return self._delivered(work, envelope, message), ""

    def _ready(self, plan: Plan) -> Ready:
        prepared, blueprint = self._supply.prepared(plan), self._blueprint(plan)
        rows = blueprint.rows[self.site]
        counts = prepared.catalogue.counts(rows.train) if plan.recipe.class_weights == "balanced" else None
        return Ready(site=self.site, num_train=len(rows.train), num_val=len(rows.val), num_test=len(rows.test), task=blueprint.task,
                     classes=blueprint.classes, regions=blueprint.regions, phantom=prepared.catalogue.phantom,
                     fingerprint=prepared.fingerprint, version=version("wardround"), device=blueprint.device, threads=self.limits.threads,
                     counts=counts, identity=self._secure.identity() if plan.aggregation.secure else None)

    def _blueprint(self, plan: Plan) -> ArmBlueprint:
        """Of this site; Refusal if its limits do not let it train on so few images."""
        blueprint = self._supply.blueprint(plan)
        if cause := refusal_of_plan(self.limits, plan, num_train=len(blueprint.rows[self.site].train)):
            raise Refusal(cause)
        return blueprint

    def _work_of(self, plan: Plan, envelope: Envelope) -> _Work:
        """The blueprint of the plan with the study's class weights; the last one is kept, with its model and images."""
        key = (envelope.plan, envelope.weights)
        if self._work is None or self._work.key != key:
            blueprint = self._blueprint(plan)
            check_weights(blueprint, envelope)
            weights = None if envelope.weights is None else np.array(envelope.weights)
            self._work = _Work(key=key, blueprint=replace(blueprint, class_weights=weights))
        return self._work

    def _trained(self, work: _Work, envelope: Envelope, order: Order) -> tuple[Update | SecureReply, str]:
        check_order(work.plan, order, envelope)
        if work.plan.aggregation.secure:
            self._secure.check_due(order)
        spend(self.folder, work.blueprint, self.site, envelope)
        started = time.perf_counter()
        site, order = self._at_work(work, envelope), work.here(order)
        if envelope.memory and not site.memory and isinstance(work.blueprint.strategy, Partial):
            order = replace(order, params=work.with_first(work.blueprint.strategy, order.params))
        update = trained(work.blueprint, site, order)
        update = replace(update, seconds=time.perf_counter() - started)
        reply = self._secure.masked(update, order, len(site.rows.train)) if work.plan.aggregation.secure else update
        if not (envelope.keep and site.memory):
            return reply, ""
        self._versions(envelope).write(envelope.keep, site.memory, began_from=envelope.memory)
        return reply, envelope.keep

    def _evaluated(self, work: _Work, envelope: Envelope, order: EvaluateOrder) -> SiteReport:
        check_evaluation(order)
        return self._report(work, envelope, order)

    def _report(self, work: _Work, envelope: Envelope, order: EvaluateOrder) -> SiteReport:
        kept = self._memory(work, envelope) if order.is_personal else {}
        return evaluated(work.blueprint, work.bench, [self.site], work.here(order), kept)[0]

    def _tested(self, work: _Work, envelope: Envelope, order: TestOrder) -> SiteSummary:
        check_test(order)
        asked = EvaluateOrder(round=order.round, params=order.params, rows="test", detail=True, is_personal=order.is_personal)
        return summarise(work.blueprint, self._supply.prepared(work.plan), self.site, self._report(work, envelope, asked),
                         temperature=order.temperature, threshold=order.threshold)

    def _alone(self, work: _Work) -> SiteSummary:
        """Train the plan's local arm in the site's runs/, or go on with it."""
        prepared, folder = self._supply.prepared(work.plan), RunFolder(self.folder.runs / f"local-seed{work.plan.seed}")
        start(work.plan, prepared, "local", self.site, folder, silent)
        return local_summary(folder.scores(), prepared, self.site)

    def _delivered(self, work: _Work, envelope: Envelope, message: Deliver) -> Delivered:
        check_finite(message)
        check_record(message.record)
        params = work.here(message).params
        if message.is_personal:
            if not isinstance(work.blueprint.strategy, Personal):
                raise Refusal(f"strategy '{work.plan.strategy.name}' of the approved plan leaves sites no models of their own.")
            params = work.blueprint.strategy.personal(self._at_work(work, envelope), params)
        params = Params(params.flat.cpu(), params.layout)
        write_delivered(self.folder.models / envelope.run, work.blueprint, self._supply.prepared(work.plan), params, message.record,
                        message.card)
        return Delivered(site=self.site)

    def _at_work(self, work: _Work, envelope: Envelope) -> Site:
        return Site(rows=work.blueprint.rows[self.site], bench=work.bench, memory=self._memory(work, envelope))

    def _memory(self, work: _Work, envelope: Envelope) -> Memory:
        """What the site remembered under the version that the envelope names (ROUND-...); none, and a note, if that is lost."""
        found = self._versions(envelope).read(envelope.memory)
        if found is None:
            self._notes.append(f"its memory of round {envelope.memory.partition('-')[0]} is lost; it begins afresh")
            return {}
        return {name: tensor.to(work.bench.model.device) for name, tensor in found.items()}

    def _versions(self, envelope: Envelope) -> Versions:
        return Versions(self.folder.memory / envelope.run)
