#!/usr/bin/env python3
"""seed.py CONTENT NAME CONFIG_URL CHECKPOINT_URL: the notebook that vqcache grew from.

Its two cells as they stand, but that the working directory is an argument and the call is below
`main`. It prints what the notebook prints."""
import sys
from os import mkdir
from os.path import abspath, isdir, isfile, join
from shutil import copy
from urllib.request import urlretrieve

working_dir = abspath(sys.argv[1])
model_dir = join(working_dir, 'models')
cache_dir = join(working_dir, 'cache')
model_cache_dir = join(cache_dir, 'models')

# create directories if they don't exist.
if not isdir(working_dir):
    mkdir(working_dir)

if not isdir(model_dir):
    mkdir(model_dir)

if not isdir(cache_dir):
    mkdir(cache_dir)

if not isdir(model_cache_dir):
    mkdir(model_cache_dir)


def download_vqgan_model(name, config_url, checkpoint_url):
    config_file = join(model_dir, f'{name}.yaml')
    checkpoint_file = join(model_dir, f'{name}.ckpt')
    model_cache = join(model_cache_dir, name)
    if not isdir(model_cache):
        mkdir(model_cache)
    config_cache = join(model_cache, f'{name}.yaml')
    checkpoint_cache = join(model_cache, f'{name}.ckpt')

    is_available = isfile(config_file) and isfile(checkpoint_file)
    is_cached = isfile(config_cache) and isfile(checkpoint_cache)

    if (is_available):
        print(f'The model ({name}) is already available locally.')
        return name

    if (is_cached):
        print(f'The model ({name}) is available in the cache, copying locally.')
        copy(config_cache, config_file)
        copy(checkpoint_cache, checkpoint_file)
        return name

    print(f'The model ({name}) was not found, downloading and caching.')
    urlretrieve(config_url, config_file)
    urlretrieve(checkpoint_url, checkpoint_file)
    copy(config_file, config_cache)
    copy(checkpoint_file, checkpoint_cache)
    return name


if __name__ == '__main__':
    model = download_vqgan_model(
        name=sys.argv[2], config_url=sys.argv[3], checkpoint_url=sys.argv[4])
    print(model)
