from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from tabard.v1 import adapter_pb2 as _adapter_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ImageFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    IMAGE_FORMAT_UNSPECIFIED: _ClassVar[ImageFormat]
    IMAGE_FORMAT_PNG: _ClassVar[ImageFormat]
    IMAGE_FORMAT_JPEG: _ClassVar[ImageFormat]
    IMAGE_FORMAT_WEBP: _ClassVar[ImageFormat]

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIORITY_UNSPECIFIED: _ClassVar[Priority]
    PRIORITY_LOW: _ClassVar[Priority]
    PRIORITY_NORMAL: _ClassVar[Priority]
    PRIORITY_HIGH: _ClassVar[Priority]

class TokenMatch(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOKEN_MATCH_UNSPECIFIED: _ClassVar[TokenMatch]
    TOKEN_MATCH_WHOLE: _ClassVar[TokenMatch]
    TOKEN_MATCH_ANYWHERE: _ClassVar[TokenMatch]

class PromptSyntax(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROMPT_SYNTAX_UNSPECIFIED: _ClassVar[PromptSyntax]
    PROMPT_SYNTAX_PLAIN: _ClassVar[PromptSyntax]
    PROMPT_SYNTAX_A1111: _ClassVar[PromptSyntax]
IMAGE_FORMAT_UNSPECIFIED: ImageFormat
IMAGE_FORMAT_PNG: ImageFormat
IMAGE_FORMAT_JPEG: ImageFormat
IMAGE_FORMAT_WEBP: ImageFormat
PRIORITY_UNSPECIFIED: Priority
PRIORITY_LOW: Priority
PRIORITY_NORMAL: Priority
PRIORITY_HIGH: Priority
TOKEN_MATCH_UNSPECIFIED: TokenMatch
TOKEN_MATCH_WHOLE: TokenMatch
TOKEN_MATCH_ANYWHERE: TokenMatch
PROMPT_SYNTAX_UNSPECIFIED: PromptSyntax
PROMPT_SYNTAX_PLAIN: PromptSyntax
PROMPT_SYNTAX_A1111: PromptSyntax

class GenerateRequest(_message.Message):
    __slots__ = ("prompt", "negative_prompt", "adapters", "seed", "num_inference_steps", "guidance_scale", "width", "height", "num_images", "sampler", "deterministic", "preview_every", "clip_skip", "prompt_syntax", "prompt_windows_max", "image", "strength", "mask_image", "original_size", "crop_top_left", "target_size", "token_match", "priority", "request_id", "decline_canary", "canary_key", "timestep_spacing", "schedule", "timesteps", "sigmas", "eta", "auto_trigger", "detach", "image_format", "image_quality", "regions", "without_progress", "base", "again", "skip_guidance_layers", "skip_layer_guidance_scale", "skip_layer_guidance_start", "skip_layer_guidance_stop")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    ADAPTERS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    NUM_INFERENCE_STEPS_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    NUM_IMAGES_FIELD_NUMBER: _ClassVar[int]
    SAMPLER_FIELD_NUMBER: _ClassVar[int]
    DETERMINISTIC_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_EVERY_FIELD_NUMBER: _ClassVar[int]
    CLIP_SKIP_FIELD_NUMBER: _ClassVar[int]
    PROMPT_SYNTAX_FIELD_NUMBER: _ClassVar[int]
    PROMPT_WINDOWS_MAX_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    MASK_IMAGE_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    CROP_TOP_LEFT_FIELD_NUMBER: _ClassVar[int]
    TARGET_SIZE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_MATCH_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DECLINE_CANARY_FIELD_NUMBER: _ClassVar[int]
    CANARY_KEY_FIELD_NUMBER: _ClassVar[int]
    TIMESTEP_SPACING_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    TIMESTEPS_FIELD_NUMBER: _ClassVar[int]
    SIGMAS_FIELD_NUMBER: _ClassVar[int]
    ETA_FIELD_NUMBER: _ClassVar[int]
    AUTO_TRIGGER_FIELD_NUMBER: _ClassVar[int]
    DETACH_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FORMAT_FIELD_NUMBER: _ClassVar[int]
    IMAGE_QUALITY_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    AGAIN_FIELD_NUMBER: _ClassVar[int]
    SKIP_GUIDANCE_LAYERS_FIELD_NUMBER: _ClassVar[int]
    SKIP_LAYER_GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    SKIP_LAYER_GUIDANCE_START_FIELD_NUMBER: _ClassVar[int]
    SKIP_LAYER_GUIDANCE_STOP_FIELD_NUMBER: _ClassVar[int]
    prompt: str
    negative_prompt: str
    adapters: _containers.RepeatedCompositeFieldContainer[_adapter_pb2.WeightedRef]
    seed: int
    num_inference_steps: int
    guidance_scale: float
    width: int
    height: int
    num_images: int
    sampler: str
    deterministic: bool
    preview_every: int
    clip_skip: int
    prompt_syntax: PromptSyntax
    prompt_windows_max: int
    image: bytes
    strength: float
    mask_image: bytes
    original_size: ImageSize
    crop_top_left: ImageCorner
    target_size: ImageSize
    token_match: TokenMatch
    priority: Priority
    request_id: str
    decline_canary: bool
    canary_key: str
    timestep_spacing: str
    schedule: str
    timesteps: _containers.RepeatedScalarFieldContainer[int]
    sigmas: _containers.RepeatedScalarFieldContainer[float]
    eta: float
    auto_trigger: bool
    detach: Detach
    image_format: ImageFormat
    image_quality: int
    regions: _containers.RepeatedCompositeFieldContainer[Region]
    without_progress: bool
    base: str
    again: Again
    skip_guidance_layers: _containers.RepeatedScalarFieldContainer[int]
    skip_layer_guidance_scale: float
    skip_layer_guidance_start: float
    skip_layer_guidance_stop: float
    def __init__(self, prompt: _Optional[str] = ..., negative_prompt: _Optional[str] = ..., adapters: _Optional[_Iterable[_Union[_adapter_pb2.WeightedRef, _Mapping]]] = ..., seed: _Optional[int] = ..., num_inference_steps: _Optional[int] = ..., guidance_scale: _Optional[float] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., num_images: _Optional[int] = ..., sampler: _Optional[str] = ..., deterministic: bool = ..., preview_every: _Optional[int] = ..., clip_skip: _Optional[int] = ..., prompt_syntax: _Optional[_Union[PromptSyntax, str]] = ..., prompt_windows_max: _Optional[int] = ..., image: _Optional[bytes] = ..., strength: _Optional[float] = ..., mask_image: _Optional[bytes] = ..., original_size: _Optional[_Union[ImageSize, _Mapping]] = ..., crop_top_left: _Optional[_Union[ImageCorner, _Mapping]] = ..., target_size: _Optional[_Union[ImageSize, _Mapping]] = ..., token_match: _Optional[_Union[TokenMatch, str]] = ..., priority: _Optional[_Union[Priority, str]] = ..., request_id: _Optional[str] = ..., decline_canary: bool = ..., canary_key: _Optional[str] = ..., timestep_spacing: _Optional[str] = ..., schedule: _Optional[str] = ..., timesteps: _Optional[_Iterable[int]] = ..., sigmas: _Optional[_Iterable[float]] = ..., eta: _Optional[float] = ..., auto_trigger: bool = ..., detach: _Optional[_Union[Detach, _Mapping]] = ..., image_format: _Optional[_Union[ImageFormat, str]] = ..., image_quality: _Optional[int] = ..., regions: _Optional[_Iterable[_Union[Region, _Mapping]]] = ..., without_progress: bool = ..., base: _Optional[str] = ..., again: _Optional[_Union[Again, _Mapping]] = ..., skip_guidance_layers: _Optional[_Iterable[int]] = ..., skip_layer_guidance_scale: _Optional[float] = ..., skip_layer_guidance_start: _Optional[float] = ..., skip_layer_guidance_stop: _Optional[float] = ...) -> None: ...

class Again(_message.Message):
    __slots__ = ("seed", "pins", "registry_seq")
    SEED_FIELD_NUMBER: _ClassVar[int]
    PINS_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_SEQ_FIELD_NUMBER: _ClassVar[int]
    seed: int
    pins: _containers.RepeatedCompositeFieldContainer[Pin]
    registry_seq: int
    def __init__(self, seed: _Optional[int] = ..., pins: _Optional[_Iterable[_Union[Pin, _Mapping]]] = ..., registry_seq: _Optional[int] = ...) -> None: ...

class Pin(_message.Message):
    __slots__ = ("ref", "digest")
    REF_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    ref: str
    digest: str
    def __init__(self, ref: _Optional[str] = ..., digest: _Optional[str] = ...) -> None: ...

class Region(_message.Message):
    __slots__ = ("name", "boxes", "mask", "prompt")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BOXES_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    name: str
    boxes: str
    mask: bytes
    prompt: str
    def __init__(self, name: _Optional[str] = ..., boxes: _Optional[str] = ..., mask: _Optional[bytes] = ..., prompt: _Optional[str] = ...) -> None: ...

class Detach(_message.Message):
    __slots__ = ("webhook_url", "namespace")
    WEBHOOK_URL_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    webhook_url: str
    namespace: str
    def __init__(self, webhook_url: _Optional[str] = ..., namespace: _Optional[str] = ...) -> None: ...

class ImageSize(_message.Message):
    __slots__ = ("width", "height")
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    width: int
    height: int
    def __init__(self, width: _Optional[int] = ..., height: _Optional[int] = ...) -> None: ...

class ImageCorner(_message.Message):
    __slots__ = ("top", "left")
    TOP_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    top: int
    left: int
    def __init__(self, top: _Optional[int] = ..., left: _Optional[int] = ...) -> None: ...

class GenerateResponse(_message.Message):
    __slots__ = ("accepted", "progress", "preview", "image", "done")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    accepted: Accepted
    progress: Progress
    preview: Preview
    image: Image
    done: Done
    def __init__(self, accepted: _Optional[_Union[Accepted, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., preview: _Optional[_Union[Preview, _Mapping]] = ..., image: _Optional[_Union[Image, _Mapping]] = ..., done: _Optional[_Union[Done, _Mapping]] = ...) -> None: ...

class Accepted(_message.Message):
    __slots__ = ("job_id", "worn", "seeds", "registry_seq", "queue_depth", "trace_id", "warnings", "base_fingerprint")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    WORN_FIELD_NUMBER: _ClassVar[int]
    SEEDS_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_SEQ_FIELD_NUMBER: _ClassVar[int]
    QUEUE_DEPTH_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    BASE_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    worn: _containers.RepeatedCompositeFieldContainer[WornRelease]
    seeds: _containers.RepeatedScalarFieldContainer[int]
    registry_seq: int
    queue_depth: int
    trace_id: str
    warnings: _containers.RepeatedCompositeFieldContainer[SamplingWarning]
    base_fingerprint: str
    def __init__(self, job_id: _Optional[str] = ..., worn: _Optional[_Iterable[_Union[WornRelease, _Mapping]]] = ..., seeds: _Optional[_Iterable[int]] = ..., registry_seq: _Optional[int] = ..., queue_depth: _Optional[int] = ..., trace_id: _Optional[str] = ..., warnings: _Optional[_Iterable[_Union[SamplingWarning, _Mapping]]] = ..., base_fingerprint: _Optional[str] = ...) -> None: ...

class SamplingWarning(_message.Message):
    __slots__ = ("release", "field", "message")
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    release: str
    field: str
    message: str
    def __init__(self, release: _Optional[str] = ..., field: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class WornRelease(_message.Message):
    __slots__ = ("ref", "adapter", "version", "digest", "weight", "recipe", "is_canary", "controls")
    REF_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    IS_CANARY_FIELD_NUMBER: _ClassVar[int]
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    ref: str
    adapter: str
    version: str
    digest: str
    weight: float
    recipe: WornRecipe
    is_canary: bool
    controls: str
    def __init__(self, ref: _Optional[str] = ..., adapter: _Optional[str] = ..., version: _Optional[str] = ..., digest: _Optional[str] = ..., weight: _Optional[float] = ..., recipe: _Optional[_Union[WornRecipe, _Mapping]] = ..., is_canary: bool = ..., controls: _Optional[str] = ...) -> None: ...

class WornRecipe(_message.Message):
    __slots__ = ("adapter", "version", "digest", "weight", "controls")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    adapter: str
    version: str
    digest: str
    weight: float
    controls: str
    def __init__(self, adapter: _Optional[str] = ..., version: _Optional[str] = ..., digest: _Optional[str] = ..., weight: _Optional[float] = ..., controls: _Optional[str] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("index", "step", "steps")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    index: int
    step: int
    steps: int
    def __init__(self, index: _Optional[int] = ..., step: _Optional[int] = ..., steps: _Optional[int] = ...) -> None: ...

class Preview(_message.Message):
    __slots__ = ("index", "step", "content")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    index: int
    step: int
    content: bytes
    def __init__(self, index: _Optional[int] = ..., step: _Optional[int] = ..., content: _Optional[bytes] = ...) -> None: ...

class Image(_message.Message):
    __slots__ = ("index", "content", "seed", "provenance_json", "format")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_JSON_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    index: int
    content: bytes
    seed: int
    provenance_json: str
    format: ImageFormat
    def __init__(self, index: _Optional[int] = ..., content: _Optional[bytes] = ..., seed: _Optional[int] = ..., provenance_json: _Optional[str] = ..., format: _Optional[_Union[ImageFormat, str]] = ...) -> None: ...

class Done(_message.Message):
    __slots__ = ("queue_duration", "total_duration")
    QUEUE_DURATION_FIELD_NUMBER: _ClassVar[int]
    TOTAL_DURATION_FIELD_NUMBER: _ClassVar[int]
    queue_duration: _duration_pb2.Duration
    total_duration: _duration_pb2.Duration
    def __init__(self, queue_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., total_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...
