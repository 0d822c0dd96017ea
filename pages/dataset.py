"""What the model learned from: counts, faces, flaws."""

from webui.states import page_head

page_head("Dataset", "What the model learned from, and what is wrong with it.")
