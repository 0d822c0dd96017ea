"""The model card as text: what is in the weights file, and what to know before trusting it."""

from fer.card import ModelCard
from fer.tables import to_markdown
from webui.parts.charts import percent

LIMITS = """\
* **An expression is not an emotion.** The model names what a face shows in one still picture. People smile
  without joy and grieve without tears; context, culture and the person decide, and the model sees none of
  them (Barrett et al. 2019). Do not use it to judge people: not for hiring, teaching, policing or health.
* **Not at work or in schools in the European Union.** The EU's AI Act (Regulation 2024/1689, Article 5(1)(f)) bans
  systems that infer the emotions of people at work and in education from their faces, except for medical or safety
  reasons, since 2 February 2025. Whoever uses this model there answers for that.
* **FER2013 is small, grey and noisy.** 35,887 crops of 48×48 pixels, found in 2013 by an image search for
  184 words of feeling joined with words for gender, age and ethnicity, cut by a face detector, sorted by a
  few people (Goodfellow et al. 2013). People who label it agree with its labels on about 65 ± 5 % of faces, so
  figures far above that partly learn the labellers' habits.
* **Whom it holds is not recorded.** The set has no field for age, gender, skin colour or country, and it
  shows what an English image search liked in 2013: stock photos, actors, posed and strong expressions,
  drawings and watermarks too. How much worse the model is for some groups cannot be measured with it; on your
  own labelled photos `python scripts/evaluate.py --photos` measures it, group by group, and keeps nothing.
* **Known confusions.** Fear, sad and angry are taken for one another and for neutral; disgust is 1.5 % of
  the set, so its figures rest on 55 faces of a test split. The matrix on this page has the counts.
* **Pictures matter.** Faces turned far away, covered, very small or lit from below were rare in the set. Of all
  damages that were tried, noise takes most: it makes the model wrong and sure at once. Darkness, blur and few
  pixels come next; a leaning head or a crop that is a little off hardly matter. The tabs 'Where it fails' and
  'Worse pictures' have the figures.
* **Some faces are not read.** A face that is too small, dark, bright, blurred or noisy, cut off, lying or turned away
  is called 'unsure' with that reason: beyond each of these limits fewer than 60 % of the answers given were right on
  damaged or turned faces of PublicTest. A drawing or a doll that looks like a face may still be read.
"""

SEAL = """\
The file's seal (SHA-256) shows that the file is complete. It does not show who made it: anybody can seal a file
with any card in it. The app takes numbers out of such a file and runs its own network around
them, never the file's program."""


def card_markdown(card: ModelCard) -> str:
    """The whole card as Markdown: identity, data and protocol, figures, input, limits, configuration."""
    parts = [
        f"# {card.name}\n\n{card.architecture}, {card.parameters:,} parameters.",
        _section("Training data", card.training_data),
        _section("Protocol", card.protocol),
        _figures(card),
        _input(card),
        f"## Limits\n\n{LIMITS}",
        _configuration(card),
        _section("Licence", card.licence),
        _origin(card),
        SEAL,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, words: str) -> str:
    return f"## {title}\n\n{words}" if words else ""


def _figures(card: ModelCard) -> str:
    if not card.metrics:
        return ""
    splits, names = card.metrics, sorted({name for figures in card.metrics.values() for name in figures})
    # With spaces a name wraps on a phone.
    rows = ([name.replace("_", " "), *(_number(figures.get(name)) for figures in splits.values())] for name in names)
    note = "Shares of 1; low and high bound the 95 % interval, flip averages in the mirror image."
    return f"## Figures\n\n{note}\n\n" + "\n".join(to_markdown(["figure", *splits], rows))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _input(card: ModelCard) -> str:
    side = card.input_size_px
    lines = [
        f"* {side}×{side} grey pixels, normalised as (x / 255 − {card.mean:.4f}) / {card.std:.4f} inside the file",
        f"* classes: {', '.join(card.classes)}",
        f"* temperature {card.temperature:.3f}; 'unsure' below {percent(card.unsure_below)}",
    ]
    lines += [
        f"* crop for {name}: its box is {box.width:.2f} of the crop wide and {box.height:.2f} high, "
        f"centred at ({box.center_x:.2f}, {box.center_y:.2f})"
        for name, box in card.framing.items()
    ]
    return "## Input\n\n" + "\n".join(lines)


def _configuration(card: ModelCard) -> str:
    if not card.config:
        return ""
    lines = to_markdown(["field", "value"], sorted(card.config.items()), left=(0, 1))
    return "## Training configuration\n\n" + "\n".join(lines)


def _origin(card: ModelCard) -> str:
    facts = [f"Made {card.created}" if card.created else "", f"commit `{card.commit}`" if card.commit else ""]
    words = ", ".join(fact for fact in facts if fact)
    return f"{words}." if words else ""
