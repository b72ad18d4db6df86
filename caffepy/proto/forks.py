"""What forks of Caffe have and we do not: their fields and layer types, for messages to name them.

What we come to support is looked up no more; tests/proto/test_forks.py tells which rows are left.
"""

# A row: the forks, a message, and the fields of it that all of these forks have.
FIELDS = (
    (
        "SSD, NVIDIA, Intel",
        "LayerParameter",
        "annotated_data_param detection_evaluate_param multibox_loss_param video_data_param",
    ),
    (
        "NVIDIA",
        "LayerParameter",
        "backward_math backward_type cudnn_math_override debug detectnet_augmentation_param "
        "detectnet_groundtruth_param forward_math forward_type trt_param",
    ),
    (
        "Intel",
        "LayerParameter",
        "box_annotator_ohem_param engine eval_detection_param mn_activation_param "
        "mn_grad_compress_param multinode quantization_param region_loss_param "
        "spatial_dropout_param split_param",
    ),
    (
        "PSPNet",
        "LayerParameter",
        "adaptive_bias_channel_param bias_channel_param dense_crf_param domain_transform_param "
        "mat_read_param mat_write_param seg_accuracy_param unique_label_param",
    ),
    ("SegNet", "LayerParameter", "dense_image_data_param"),
    ("OpenCV", "LayerParameter", "proposal_param"),
    (
        "NVIDIA",
        "NetParameter",
        "default_backward_math default_backward_type default_conv_algos_override "
        "default_cudnn_math_override default_forward_math default_forward_type "
        "eltwise_mem_sharing global_grad_scale global_grad_scale_adaptive reduce_buckets",
    ),
    ("Intel", "NetParameter", "bn_stats_batch_size compile_net_state engine multinode"),
    (
        "SSD, NVIDIA, Intel",
        "SolverParameter",
        "ap_version eval_type show_per_class_result",
    ),
    (
        "NVIDIA",
        "SolverParameter",
        "larc_turbo solver_data_type store_blobs_in_old_format test_and_snapshot_last_epochs",
    ),
    (
        "Intel",
        "SolverParameter",
        "disabled_update engine local_gw_ratio local_lr_auto test_offset",
    ),
    (
        "SSD, NVIDIA, Intel",
        "TransformationParameter",
        "crop_h crop_w distort_param emit_constraint expand_param noise_param resize_param",
    ),
    (
        "NVIDIA",
        "TransformationParameter",
        "allow_upscale display forward_packing horizontal_stretch_lower horizontal_stretch_upper "
        "img_rand_resize_lower img_rand_resize_upper interpolation_algo_down "
        "interpolation_algo_up num_labels rand_resize_ratio_lower rand_resize_ratio_upper "
        "random_seed use_gpu_transform vertical_stretch_lower vertical_stretch_upper",
    ),
    ("PSPNet", "TransformationParameter", "crop_height crop_width scale_factors"),
    ("Intel", "BatchNormParameter", "bias_term filler relu stats_batch_size use_weight_bias"),
    ("PSPNet", "BatchNormParameter", "update_global_stats"),
    ("NVIDIA", "BlobProto", "raw_data raw_data_type raw_diff raw_diff_type"),
    ("NVIDIA", "ConvolutionParameter", "conv_algos_override cudnn_convolution_algo_seeker"),
    ("Intel", "ConvolutionParameter", "coeff conv_algorithm fusion_type negative_slope relu"),
    ("NVIDIA", "DataParameter", "cache parser_threads precache threads"),
    ("Intel", "DataParameter", "side"),
    ("NVIDIA", "Datum", "record_id"),
    ("Fast R-CNN", "DropoutParameter", "scale_train"),
    ("SegNet", "DropoutParameter", "sample_weights_test"),
    ("NVIDIA", "DropoutParameter", "engine random_seed"),
    ("NVIDIA", "ELUParameter", "lambda"),
    ("Intel", "FillerParameter", "scale"),
    ("NVIDIA", "ImageDataParameter", "cache dataset_share_per_node precache short_side threads"),
    ("PSPNet", "ImageDataParameter", "ignore_label label_type"),
    ("SegNet", "LossParameter", "class_weighting weight_by_label_freqs"),
    ("Intel", "LossParameter", "pre_fixed_normalizer"),
    ("NVIDIA", "PoolingParameter", "torch_pooling"),
    ("Intel", "PoolingParameter", "avg_include_pad axis kernel_size_3d pad_3d stride_3d"),
    ("Intel", "ROIPoolingParameter", "pooled_size"),
    ("SSD, NVIDIA, Intel", "SaveOutputParameter", "resize_param"),
)
# A row: the forks, and the layer types that all of these forks have.
TYPES = (
    ("SSD, NVIDIA, Intel", "AnnotatedData DetectionEvaluate MultiBoxLoss VideoData"),
    ("NVIDIA", "DetectNetTransformation TRT"),
    (
        "Intel",
        "BoxAnnotatorOHEM BoxData EvalDetection MnActivation RegionLoss SmoothL1LossOHEM "
        "SoftmaxWithLossOHEM SpatialDropout",
    ),
    (
        "PSPNet",
        "AdaptiveBiasChannel BiasChannel DenseCRF DomainTransform DomainTransformForwardOnly "
        "ImageSegData MatRead MatWrite SegAccuracy SpatialProduct UniqueLabel",
    ),
    ("SegNet", "DenseImageData"),
    ("OpenCV", "Proposal"),
)


def field_hint(message: str, field: str) -> str:
    """A hint to end an error with: which forks have this field; "" where none has."""
    return _hint([forks for forks, m, names in FIELDS if m == message and field in names.split()])


def type_hint(layer_type: str) -> str:
    """A hint to end an error with: which forks have this layer type; "" where none has."""
    return _hint([forks for forks, names in TYPES if layer_type in names.split()])


def _hint(found: list[str]) -> str:
    if not found:
        return ""
    *others, last = [f"{fork}'s" for fork in ", ".join(found).split(", ")]
    if not others:
        return f"; {last} fork of Caffe has it, caffepy does not"
    return f"; {', '.join(others)} and {last} forks of Caffe have it, caffepy does not"
