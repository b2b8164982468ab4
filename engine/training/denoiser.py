"""A denoiser before a classifier that stays as it is, by its pixels or by the answer (Salman et al. 2020)."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.errors import AcesError
from engine.models import Checkpoint, Network, NetworkCard
from engine.models.denoised import Denoised
from engine.models.denoisers import denoiser_card, find_denoiser, state_sha256
from engine.models.own import Scripted
from engine.training.fit import TrainingPlan, fit_network, material_of
from engine.training.loop import Report
from engine.training.objective import BatchResult, Objective, Step, noise


def mse(network: nn.Module, x: Tensor, y: Tensor, step: Step) -> BatchResult:
    """The mean over pixels of (D(x + eps) - x)^2, one eps ~ N(0, sigma^2 I) an image; the classifier only watches."""
    both = _both(network)
    denoised = both.denoiser(x + noise(x, 1, step).squeeze(1))
    with torch.no_grad():
        answer = both.classifier(denoised)
    return BatchResult(F.mse_loss(denoised.float(), x), answer)


def stability(network: nn.Module, x: Tensor, y: Tensor, step: Step) -> BatchResult:
    """CE(f(D(x + eps)), argmax f(x)): the classifier f is to answer as it does without noise. No label is needed."""
    both = _both(network)
    with torch.no_grad():
        wanted = both.classifier(x).argmax(1)
    logits = both.classifier(both.denoiser(x + noise(x, 1, step).squeeze(1))).float()
    return BatchResult(F.cross_entropy(logits, wanted), logits)


def _both(network: nn.Module) -> Denoised:
    body = network.body
    assert isinstance(body, Denoised)
    return body


OBJECTIVES: dict[str, Objective] = {"mse": mse, "stability": stability}


def fit_denoiser(
    classifier: Checkpoint,
    plan: TrainingPlan,
    directory: Path,
    *,
    device: str = "cpu",
    report: Report = lambda _: None,
) -> Path:
    """Train ``plan.architecture`` before ``classifier`` by the objective in ``plan.method``; writes what ``fit`` does.

    ``plan.initial``: a denoiser's checkpoint to start from. Accuracies are the classifier's behind the denoiser. Raises
    ``AcesError`` for a classifier that is code, sees pictures at a size of its own, or is of another dataset.
    """
    _check(classifier, plan)
    objective = OBJECTIVES[plan.method.removeprefix("denoiser-")]
    channels = plan.data.shape[0]
    torch.manual_seed(plan.seed)  # the initial weights
    module = denoiser_card(plan.architecture).build(channels)
    facts: dict[str, object] = {"classifier": {"name": classifier.card.name, "sha256": classifier.sha256}}
    if plan.initial:
        facts["initial"] = _start_from(module, plan.initial, plan.sigma, channels)
    network = Network(nn.Identity(), Denoised(module, classifier.network))
    card = NetworkCard(plan.name, plan.architecture, plan.dataset, plan.method, plan.sigma)
    return fit_network(
        network,
        Network(nn.Identity(), module),
        objective,
        material_of(plan),
        card,
        plan,
        directory,
        facts=facts,
        also=lambda: {"paper": "Salman et al. 2020", "sha256": state_sha256(module, plan.architecture)},
        device=device,
        report=report,
    )


def _check(classifier: Checkpoint, plan: TrainingPlan) -> None:
    if isinstance(classifier.network.body, Scripted | Denoised):
        raise AcesError(f"{classifier.card.name} cannot stand behind a denoiser: name a classifier's own weights")
    if classifier.transform is not None:
        raise AcesError(
            f"{classifier.card.name} sees pictures at a size of its own; choose one that reads the dataset's"
        )
    if classifier.card.dataset != plan.dataset:
        raise AcesError(f"{classifier.card.name} is for {classifier.card.dataset}, the denoiser for {plan.dataset}")


def _start_from(module: nn.Module, source: str, sigma: float, channels: int) -> dict[str, str]:
    """Copy the weights of another denoiser of this architecture."""
    found = find_denoiser(source, sigma, channels)
    try:
        module.load_state_dict(found.module.state_dict())
    except RuntimeError as error:
        raise AcesError(
            f"{source} is another denoiser: its weights do not fit the one that is to start from them"
        ) from error
    return {"name": found.source, "sha256": found.sha256}
