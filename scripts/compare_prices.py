"""Prints how the prices that ship with Wordhoard differ from two public tables: genai-prices' and litellm's.

Usage: compare_prices.py crates/wordhoard-providers/src/prices.toml

Each line is a model and a rate, in USD for a million tokens: ours, and theirs. Where a vendor's page says which is right, the table
is to be corrected; until then a difference is nothing but a question.
"""

import json
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import genai_prices

VENDORS = ["anthropic", "openai", "google", "cohere", "deepseek", "x-ai", "mistral", "groq", "moonshotai", "zai"]
RATES = {
    "input": ("input_mtok", "input_cost_per_token"),
    "cached_input": ("cache_read_mtok", "cache_read_input_token_cost"),
    "cache_write": ("cache_write_mtok", "cache_creation_input_token_cost"),
    "output": ("output_mtok", "output_cost_per_token"),
}


def of_genai(model):
    """The prices of the model that genai-prices finds under a vendor, or nothing."""
    for provider in VENDORS:
        try:
            cost = genai_prices.calc_price(
                genai_prices.Usage(input_tokens=1, output_tokens=1), model_ref=model, provider_id=provider
            )
        except LookupError:
            continue
        prices = cost.model_price
        return {ours: base(getattr(prices, theirs)) for ours, (theirs, _) in RATES.items()}
    return None


def base(price):
    """The rate below every step: some grow with the length of the input."""
    if price is None:
        return None
    return float(getattr(price, "base", price))


def of_litellm(table, model):
    entry = table.get(model)
    if entry is None:
        return None
    rates = ((ours, entry.get(theirs)) for ours, (_, theirs) in RATES.items())
    return {ours: None if rate is None else float(rate) * 1e6 for ours, rate in rates}


def differ(ours, theirs):
    return ours is not None and theirs is not None and abs(ours - theirs) > 1e-6 * max(ours, theirs)


def main():
    table = tomllib.loads(Path(sys.argv[1]).read_text())
    # Found, and not imported: it would ask the network for a newer table.
    package = Path(find_spec("litellm").submodule_search_locations[0])
    litellm = json.loads((package / "model_prices_and_context_window_backup.json").read_text())
    compared = differing = 0
    unknown = []
    for entry in table["price"]:
        for model in entry["models"]:
            others = {"genai-prices": of_genai(model), "litellm": of_litellm(litellm, model)}
            known = {name: rates for name, rates in others.items() if rates is not None}
            if not known:
                unknown.append(model)
            for name, rates in known.items():
                for rate in RATES:
                    compared += rates[rate] is not None and entry.get(rate) is not None
                    if differ(entry.get(rate), rates[rate]):
                        differing += 1
                        print(f"{model}: {rate} is {entry[rate]} here, {rates[rate]:g} in {name}")
    print(f"{compared} rates compared, {differing} differ; in neither table: {', '.join(unknown) or 'none'}")
    return 0 if compared else 1


if __name__ == "__main__":
    sys.exit(main())
