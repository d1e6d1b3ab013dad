"""What huggingface_hub makes of a hub: TestOfficialClient runs this with the Python that
OLMO_HUB_PYTHON names (one with huggingface_hub; 0.36.2 and 2.4.0 were tried).

    official.py RELEASE BIG WORK

RELEASE is the folder that is served as lab/my-model, BIG a file that is sent in parts, WORK an
empty folder. HF_ENDPOINT is the hub, HF_HOME an empty folder, HF_HUB_DISABLE_XET is 1.
"""

import filecmp
import hashlib
import os
import sys

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    HfFileSystem,
    hf_hub_download,
    snapshot_download,
)
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError


def paths(folder):
    found = []
    for at, _, names in os.walk(folder):
        found += [os.path.relpath(os.path.join(at, n), folder) for n in names if "/.cache" not in at]
    return sorted(found)


def same(a, b):
    assert paths(a) == paths(b), (paths(a), paths(b))
    for p in paths(a):
        assert filecmp.cmp(os.path.join(a, p), os.path.join(b, p), shallow=False), p


def fails(kind, do):
    try:
        do()
    except kind:
        return
    raise AssertionError("no " + str(kind))


release, big, work = sys.argv[1:]
api = HfApi()

# Reading a release.
name = "lab/my-model"
refs = api.list_repo_refs(name)
commits = {b.name: b.target_commit for b in refs.branches}
assert list(commits) == ["step2-tokens0B", "main", "release"], commits
for revision in ["step2-tokens0B", "main"]:
    info = api.model_info(name, revision=revision, files_metadata=True)
    assert info.sha == commits[revision]
    for s in info.siblings:
        content = open(os.path.join(release, "model", revision, s.rfilename), "rb").read()
        assert s.size == len(content)
        assert s.lfs is None or s.lfs.sha256 == hashlib.sha256(content).hexdigest()
    same(snapshot_download(name, revision=revision), os.path.join(release, "model", revision))
rest = snapshot_download(name, revision=commits["release"], local_dir=os.path.join(work, "rest"))
assert paths(rest) == ["release.json", "train/chain.jsonl", "train/step2/model.safetensors"], paths(rest)
fails(RepositoryNotFoundError, lambda: api.model_info("lab/none"))
fails(RevisionNotFoundError, lambda: api.model_info(name, revision="none"))
fails(EntryNotFoundError, lambda: hf_hub_download(name, "none.json"))
assert HfFileSystem().cat_file(name + "@release/train/chain.jsonl") == b"{}\n"
fails(HfHubHTTPError, lambda: api.upload_file(repo_id=name, path_or_fileobj=b"x", path_in_repo="x"))

# Uploading.
up = "lab/up"
assert api.create_repo(up).repo_id == up
assert api.create_repo(up, exist_ok=True).repo_id == up
fails(HfHubHTTPError, lambda: api.create_repo(up))
for _ in range(2):
    api.create_branch(up, branch="step/2", exist_ok=True)
model = os.path.join(release, "model", "step2-tokens0B")
first = api.upload_folder(repo_id=up, folder_path=model, revision="step/2").oid
assert api.upload_folder(repo_id=up, folder_path=model, revision="step/2").oid == first
same(snapshot_download(up, revision="step/2"), model)
at = api.upload_file(repo_id=up, path_or_fileobj=big, path_in_repo="big.bin").oid
fails(HfHubHTTPError, lambda: api.create_commit(up, [CommitOperationAdd("x", b"x")], commit_message="x", parent_commit=first))
api.create_commit(
    up,
    [CommitOperationCopy("big.bin", "sub/copy.bin"), CommitOperationAdd("empty.bin", b""), CommitOperationAdd("README.md", b"---\nlicense: mit\n---\n")],
    commit_message="more", commit_description="why", parent_commit=at,
)
api.create_tag(up, tag="v1")
api.create_commit(up, [CommitOperationDelete("sub/"), CommitOperationDelete("big.bin")], commit_message="less")
assert sorted(api.list_repo_files(up)) == ["README.md", "empty.bin"]
assert [c.title for c in api.list_repo_commits(up)][:2] == ["less", "more"]
tagged = snapshot_download(up, revision="v1")
assert paths(tagged) == ["README.md", "big.bin", "empty.bin", "sub/copy.bin"], paths(tagged)
assert filecmp.cmp(os.path.join(tagged, "sub/copy.bin"), big, shallow=False)
api.delete_tag(up, tag="v1")
api.delete_branch(up, branch="step/2")
refs = api.list_repo_refs(up)
assert [b.name for b in refs.branches] == ["main"] and refs.tags == []

api.create_repo("lab/data", repo_type="dataset")
api.upload_file(repo_id="lab/data", repo_type="dataset", path_or_fileobj=b'{"text": "a"}\n', path_in_repo="train.jsonl")
assert len(api.dataset_info("lab/data").siblings) == 1
fails(HfHubHTTPError, lambda: api.create_repo("lab/hidden", private=True))
