#!/usr/bin/env python3
"""cppyy_demo.py [ORIGIN]: vqcache.hpp from Python, through cppyy (pip install cppyy).

Run it where vqcache.hpp is, or in examples/. ORIGIN is where model.yaml and last.ckpt are; without it the
model comes from its own origin, a gigabyte. Writes to models/ and cache/ in the working directory."""
import pathlib
import shutil
import sys

import cppyy

here = pathlib.Path(__file__).resolve().parent
for directory in (".", str(here), str(here.parent)):
    cppyy.add_include_path(directory)
cppyy.include("vqcache.hpp")
vqcache = cppyy.gbl.vqcache

NAME = "vqgan_imagenet_f16_1024"
SHARE = "https://heibox.uni-heidelberg.de/d/8088892a516d4e3baf92/files/?dl=1&p="
if len(sys.argv) > 1:
    config, checkpoint = sys.argv[1] + "/model.yaml", sys.argv[1] + "/last.ckpt"
else:
    config, checkpoint = SHARE + "%2Fconfigs%2Fmodel.yaml", SHARE + "%2Fckpts%2Flast.ckpt"

options = vqcache.options()
options.local_dir, options.cache_dir = "models", "cache"
options.on_progress = vqcache.progress_line()


def told(model):
    where = "cache" if getattr(model, "from") == vqcache.origin.cache else "origin or the local disk"
    print("%s came from the %s; a copy is kept: %s" % (model.name, where, model.cached), flush=True)


def get(config, checkpoint):
    return vqcache.download_vqgan_model(NAME, config, checkpoint, options)


get(config, checkpoint)
get(config, checkpoint)  # it is there already
shutil.rmtree("models")  # the session is over, its disk is wiped
model = get("https://gone.invalid/model.yaml", "https://gone.invalid/last.ckpt")  # so is the origin
told(model)
print(model.checkpoint.string(), flush=True)
try:
    vqcache.download_vqgan_model("other", config + "/nothing-here", checkpoint + "/nothing-here", options)
except Exception as error:  # cppyy.gbl.std.exception; its text is complete
    print(error, flush=True)
