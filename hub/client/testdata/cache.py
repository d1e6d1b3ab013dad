"""What huggingface_hub makes of a cache.

    python cache.py REPOSITORY FOLDER

With HF_HUB_OFFLINE=1 the cache must hold the files of FOLDER; otherwise they are
fetched from HF_ENDPOINT into it. Both ways they are compared byte by byte.
"""
import pathlib
import sys

from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download

repository, want = sys.argv[1], pathlib.Path(sys.argv[2])
got = pathlib.Path(snapshot_download(repository))
names = sorted(p.relative_to(want) for p in want.rglob("*") if p.is_file())
there = sorted(p.relative_to(got) for p in got.rglob("*") if p.is_file())
assert there == names, (there, names)
for name in names:
    assert (got / name).read_bytes() == (want / name).read_bytes(), name
    assert hf_hub_download(repository, name.as_posix()) == str(got / name), name
cache = scan_cache_dir()
assert not cache.warnings, cache.warnings
(repo,) = cache.repos
(revision,) = repo.revisions
assert repo.repo_id == repository and set(revision.refs) == {"main"} and revision.nb_files == len(names), repo
