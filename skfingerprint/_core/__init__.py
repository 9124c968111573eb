"""Groundwork of all estimators: state, validation, blocks, folds, routing."""

from skfingerprint._core.archives import fills_file
from skfingerprint._core.blocks import (
    BlockSource,
    as_rows,
    as_stack,
    block_sizes,
    check_values,
    compute_block,
    cut_largest,
    first_block,
    iterate_blocks,
    iterate_sources,
    list_readings,
    map_blocks,
    read_blocks,
    read_images,
    score_blocks,
    select_rows,
    share_reading,
    stack_images,
    sum_blocks,
    take_images,
)
from skfingerprint._core.checks import (
    MAX_SIGMA,
    as_integers,
    check_choice,
    check_groups,
    check_int,
    check_jobs,
    check_labels,
    check_length,
    check_positive,
    check_rate,
    check_sigma,
    find_generator,
    find_wavelet,
    needs_extra,
    needs_spread,
    shorten,
)
from skfingerprint._core.compilation import find_compiled, is_caching
from skfingerprint._core.containers import RAGGED, as_images, find_files, split_by_shape
from skfingerprint._core.folds import CrossFittedMixin, find_folds
from skfingerprint._core.grey_levels import check_grey_levels, skip_grey_levels
from skfingerprint._core.items import NamedImage, is_grey_picture, open_file
from skfingerprint._core.labels import (
    check_classes,
    check_known,
    check_totals,
    check_training,
    check_weighed,
    check_weights,
    find_background,
    hide_background,
    relate_weights,
    to_decision,
    validate_known,
)
from skfingerprint._core.lazy_images import LazyImages
from skfingerprint._core.pictures import (
    TAGS,
    find_stored_size,
    hold,
    is_picture,
    list_turns,
    load_as_stored,
    refuse_preview,
    to_rgb,
)
from skfingerprint._core.progress import (
    clear_bars,
    follow_blocks,
    follow_fit,
    make_report,
    track,
    with_callbacks,
)
from skfingerprint._core.routing import find_taken, share_metadata
from skfingerprint._core.scores import check_ratios, check_scores
from skfingerprint._core.state import Estimator, all_or_nothing, at_once
from skfingerprint._core.steps import (
    is_stateless,
    join_stateless,
    list_readers,
    list_steps,
    read_by,
    split_last,
    split_readers,
    split_stateless,
    transform_by,
)
from skfingerprint._core.store import (
    RowStore,
    describe,
    find_store,
    hash_image,
    list_versions,
    name_rows,
)
from skfingerprint._core.transformers import ImageOutputMixin, StatelessTransformer
from skfingerprint._core.validation import (
    FLOATS,
    check_container,
    copy_shape,
    validate_images,
)
from skfingerprint._core.versions import find_version, show_versions
