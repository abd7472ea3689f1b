"""What the test servers share: the model they serve, certificates, and how they start and stop.

    python3 common.py DIR SIZE [SEED]     writes DIR/model.yaml and DIR/last.ckpt (sparse if large)

A model is a real VQGAN config and a checkpoint laid out as torch.save() lays it out: a stored zip
with archive/data.pkl, archive/data/0 and its zip64 end records.  All bytes follow from size and
seed.  A checkpoint is never held in memory, so that it may have any size."""
import hashlib
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
TILE = 1 << 20
SPARSE = 64 << 20  # checkpoints on disk are mostly holes from here on


class Body:
    """bytes that are made when they are read: head, n bytes of filling, tail"""

    def __init__(self, head, n=0, tail=b'', seed=None, flip=None):
        self.head, self.n, self.tail, self.flip = head, n, tail, flip
        self.size = len(head) + n + len(tail)
        self.tile = tile(seed)

    def block(self, k):
        """the k-th MiB of the filling; numbered, so that no two are equal unless it is zeros"""
        return struct.pack('<Q', k) + self.tile[8:] if self.tile else bytes(TILE)

    def raw(self, a, z):
        pos, end = a, min(z, self.size)
        while pos < end:
            if pos < len(self.head):
                piece = self.head[pos:end]
            elif pos < len(self.head) + self.n:
                o = pos - len(self.head)
                stop = min(end - pos, self.n - o, TILE - o % TILE)
                piece = self.block(o // TILE)[o % TILE:o % TILE + stop]
            else:
                o = pos - len(self.head) - self.n
                piece = self.tail[o:o + end - pos]
            yield pos, piece
            pos += len(piece)

    def read(self, a=0, z=None):
        """the bytes [a, z) in pieces of at most one MiB"""
        for pos, piece in self.raw(a, self.size if z is None else z):
            if self.flip is not None and pos <= self.flip < pos + len(piece):
                changed = bytearray(piece)
                changed[self.flip - pos] ^= 1
                piece = bytes(changed)
            yield piece

    def cut(self, a=0, z=None):
        return b''.join(self.read(a, z))

    def flipped(self, at):
        twin = Body(b'')
        twin.__dict__.update(self.__dict__, flip=at)
        return twin

    def sha256(self):
        digest = hashlib.sha256()
        for piece in self.read():
            digest.update(piece)
        return digest.hexdigest()


TILES = {None: None}


def tile(seed):
    if seed not in TILES:
        TILES[seed] = hashlib.shake_128(b'vqcache %s' % seed.encode()).digest(TILE)
    return TILES[seed]


def crc_of_zeros(n):
    """CRC-32 of n zero bytes in log n steps: the register is multiplied by x^8n"""
    def times(a, b):  # polynomials over GF(2) modulo the CRC's, bit 31 is x^0
        p = 0
        for i in range(31, -1, -1):
            if a >> i & 1:
                p ^= b
            b = b >> 1 ^ (0xedb88320 if b & 1 else 0)
        return p

    power, square = 1 << 31, 1 << 23  # x^0, x^8
    while n:
        if n & 1:
            power = times(power, square)
        square = times(square, square)
        n >>= 1
    return times(power, 0xffffffff) ^ 0xffffffff


def pickled(n):
    """{'state_dict': OrderedDict({'quantize.embedding.weight': a ByteTensor of n bytes})}"""
    def text(s):
        return b'X' + struct.pack('<I', len(s)) + s.encode()

    number = b'\x8a\x08' + struct.pack('<q', n)
    storage = (text('storage') + b'ctorch\nByteStorage\n' + text('0') + text('cpu') + number)
    tensor = (b'ctorch._utils\n_rebuild_tensor_v2\n((' + storage + b'tQK\0' + number +
              b'\x85K\1\x85\x89ccollections\nOrderedDict\n)RtR')
    return (b'\x80\x02}' + text('state_dict') + b'ccollections\nOrderedDict\n)R' +
            text('quantize.embedding.weight') + tensor + b'ss.')


def zip_around(n, seed, wide):
    """head and tail of a checkpoint whose archive/data/0 has n bytes; wide: it needs zip64 sizes"""
    def entry(name, offset, size, crc, data=b''):
        name = b'archive/' + name
        extra = b''
        if wide and name.endswith(b'/0'):
            extra = b'\1\0\x10\0' + struct.pack('<QQ', size, size)
        pad = 0 if name.endswith(b'/version') else -(offset + 30 + len(name) + len(extra) + 4) % 64
        local = extra + b'FB' + struct.pack('<H', pad) + b'Z' * pad  # aligned as torch does it; not
        # the last entry, for with its padding some sizes could not be had
        shown = 0xffffffff if extra else size
        made = struct.pack('<IHHHHHIIIHH', 0x04034b50, 0, 0x0808, 0, 0, 0, 0, 0, 0,
                           len(name), len(local)) + name + local + data
        after = struct.pack('<IIQQ' if extra else '<IIII', 0x08074b50, crc, size, size)
        listed = struct.pack('<IHHHHHHIIIHHHHHII', 0x02014b50, 0, 0, 0x0808, 0, 0, 0, crc,
                             shown, shown, len(name), len(extra), 0, 0, 0, 0,
                             min(offset, 0xffffffff)) + name + extra
        return made, after, listed

    pkl = pickled(n)
    made, after, listed = entry(b'data.pkl', 0, len(pkl), zlib.crc32(pkl), pkl)
    head = made + after
    crc = crc_of_zeros(n)
    if seed is not None:
        crc = 0
        for piece in Body(b'', n, b'', seed).read():
            crc = zlib.crc32(piece, crc)
    made, after, second = entry(b'data/0', len(head), n, crc)
    head, tail = head + made, after
    here = len(head) + n + len(tail)
    version = b'3\n'
    # the offset of this last entry may exceed 32 bits; then it stands in a zip64 extra field
    made, after, third = entry(b'version', here, len(version), zlib.crc32(version), version)
    if wide:
        field = b'\1\0\x08\0' + struct.pack('<Q', here)
        sizes = struct.pack('<H', len(field))
        third = third[:30] + sizes + third[32:42] + b'\xff' * 4 + third[46:] + field
    tail += made + after
    start = len(head) + n + len(tail)
    directory = listed + second + third
    end = start + len(directory)
    tail += directory
    tail += struct.pack('<IQHHIIQQQQ', 0x06064b50, 44, 45, 45, 0, 0, 3, 3, len(directory), start)
    tail += struct.pack('<IIQI', 0x07064b50, 0, end, 1)
    tail += struct.pack('<IHHHHIIH', 0x06054b50, 0, 0, 3, 3,
                        len(directory), min(start, 0xffffffff), 0)
    return head, tail


KEPT = {}


def checkpoint(size, seed='v1'):
    """a checkpoint of exactly `size` bytes; seed None: its tensor is zeros"""
    if (size, seed) not in KEPT:
        wide = size >= 0xffff0000
        n = size
        for _ in range(2):  # what stands around it has the same length for every n
            head, tail = zip_around(n, None, wide)
            n += size - (len(head) + n + len(tail))
            if n < 0:
                raise ValueError('a checkpoint of %d bytes is too small to be one' % size)
        head, tail = zip_around(n, seed, wide)
        KEPT[size, seed] = Body(head, n, tail, seed)
    return KEPT[size, seed]


CONFIG = """model:
  base_learning_rate: 4.5e-06
  target: taming.models.vqgan.VQModel
  params:
    embed_dim: 256
    n_embed: %(n_embed)d
    ddconfig:
      double_z: false
      z_channels: 256
      resolution: 256
      in_channels: 3
      out_ch: 3
      ch: 128
      ch_mult:
      - 1
      - 1
      - 2
      - 2
      - 4
      num_res_blocks: 2
      attn_resolutions:
      - 16
      dropout: 0.0
    lossconfig:
      target: taming.modules.losses.vqperceptual.VQLPIPSWithDiscriminator
      params:
        disc_conditional: false
        disc_in_channels: 3
        disc_start: 0
        disc_weight: 0.75
        disc_num_layers: 2
        codebook_weight: 1.0
"""


def config(seed='v1'):
    """the config that goes with a seed; v1, v2 and other have one length"""
    known = {'v1': 1024, 'v2': 2048, 'other': 4096}
    n_embed = known.get(seed) or 1000 + zlib.crc32(seed.encode()) % 9000
    return Body((CONFIG % {'n_embed': n_embed}).encode())


def make_model(folder, size, seed='v1'):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, 'model.yaml'), 'wb') as f:
        f.write(config(seed).cut())
    with open(os.path.join(folder, 'last.ckpt'), 'wb') as f:
        if size < SPARSE:
            f.writelines(checkpoint(size, seed).read())
        else:
            body = checkpoint(size, None)
            f.write(body.head)
            f.seek(body.size - len(body.tail))
            f.write(body.tail)


class Certificates:
    """certificates in a temporary directory; .dir is empty where there is no openssl program"""

    def __init__(self, where=''):
        self.dir = os.path.abspath(where) if where else ''
        self.made = ''
        if not where and shutil.which('openssl'):
            self.made = self.dir = tempfile.mkdtemp(prefix='vqcache-certs-')
            subprocess.run(['sh', os.path.join(HERE, 'make-certs.sh'), self.dir], check=True)

    def pem(self, name):
        return os.path.join(self.dir, name + '.pem') if self.dir else ''

    def remove(self):
        if self.made:
            shutil.rmtree(self.made, ignore_errors=True)


def run_until_stdin_closes(line, *cleanups):
    """says where the server is and what it serves (KEY=VALUE ...), and ends when nobody listens"""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a kill cleans up too
    try:
        print(' '.join('%s=%s' % (k, v) for k, v in line.items()), flush=True)
        while os.read(0, 4096):
            pass
    except (KeyboardInterrupt, OSError):
        pass
    finally:
        for cleanup in cleanups:
            cleanup()
    sys.stdout.flush()
    os._exit(0)  # threads may still be talking to clients


if __name__ == '__main__':
    make_model(sys.argv[1], int(sys.argv[2]), *sys.argv[3:4])
