"""embed.py - texts a second of embed/onnx beside ONNX Runtime's own Python package: the same model, the same version.

Both sort the texts of a batch by length and run micro-batches of at most 1,024 tokens on one thread. The peer is what a
careful Python program does: Hugging Face's tokenizer (Rust), onnxruntime, pooling in numpy. Started by embed.sh.
"""
import os
import random
import subprocess
import sys
import time

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

BATCH, BATCH_TOKENS = 128, 1024
WORDS = ("the of a and in for retrieval passage vector engine server cache storage latency request answer index model query "
         "document sentence meaning network memory thread socket").split()


def texts(count, least, most):
    chance = random.Random(3)
    return [" ".join(chance.choices(WORDS, k=chance.randrange(least, most))) for _ in range(count)]


def backplane(program, plugin, runtime, model, given, batch):
    raw = b"".join(b"%d\n%s" % (len(text), text) for text in (t.encode() for t in given))
    done = subprocess.run([program, plugin, "passage", str(batch), f"runtime={runtime}", f"model={model}", "threads=1"],
                          input=raw, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    return float(done.stderr.split()[-1]), np.frombuffer(done.stdout, np.float32).reshape(len(given), -1)


class Peer:
    def __init__(self, model):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.path.join(model, "model.onnx"), options,
                                                    providers=["CPUExecutionProvider"])
        self.tokenizer = Tokenizer.from_file(os.path.join(model, "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(256)
        self.embed(["warm"])

    def run(self, encodings):
        longest = max(len(one.ids) for one in encodings)
        ids, mask = (np.zeros((len(encodings), longest), np.int64) for _ in range(2))
        for row, one in enumerate(encodings):
            ids[row, :len(one.ids)] = one.ids
            mask[row, :len(one.ids)] = 1
        states = self.session.run(None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": ids * 0})[0]
        mean = (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)

    def embed(self, given):
        encodings = self.tokenizer.encode_batch(given)
        order = sorted(range(len(given)), key=lambda i: len(encodings[i].ids))
        made, some = np.zeros((len(given), 384), np.float32), []
        for i in order:
            if some and len(encodings[i].ids) * (len(some) + 1) > BATCH_TOKENS:
                made[some] = self.run([encodings[j] for j in some])
                some = []
            some.append(i)
        made[some] = self.run([encodings[j] for j in some])
        return made


def main():
    where = program, plugin, runtime, model = sys.argv[1:5]
    peer, worst = Peer(model), 9.0
    print(f"ONNX Runtime {onnxruntime.__version__}, one thread, {os.path.basename(model)}")
    for name, given, batch in (("questions of 4 to 12 words, one a call", texts(300, 4, 13), 1),
                               ("passages of 20 to 60 words, 128 a call", texts(768, 20, 61), BATCH),
                               ("passages of 100 to 250 words, 128 a call", texts(256, 100, 251), BATCH)):
        best = [0.0, 0.0]
        for _ in range(3):
            seconds, ours = backplane(*where, given, batch)
            best[0] = max(best[0], len(given) / seconds)
            begun = time.perf_counter()
            theirs = np.concatenate([peer.embed(given[at:at + batch]) for at in range(0, len(given), batch)])
            best[1] = max(best[1], len(given) / (time.perf_counter() - begun))
        assert float((ours * theirs).sum(1).min()) > 0.9999, "the vectors differ"
        worst = min(worst, best[0] / best[1])
        print(f"{name:42} backplane {best[0]:7.1f}/s  python {best[1]:7.1f}/s  ratio {best[0] / best[1]:.2f}")
    sys.exit(0 if worst >= 0.8 else 1)


if __name__ == "__main__":
    main()
