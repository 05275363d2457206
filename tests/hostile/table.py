"""What comes from outside, and the test with its hostile cases: files that are read, servers that answer, texts.

Fields that hold an address are in ``test_secrets_in_places.py``, which finds them by itself.

``test_table.py`` finds all such places in the code, and fails where one is missing here.
"""

from __future__ import annotations

from tests.hostile.parsers import PARSERS

FILES_TEST = "hostile/test_hostile_files.py::test_whatever_lies_there_is_one_line_or_passed_over"
LOGS = "hostile/test_hostile_logs.py::test_one_runs_odd_lines_take_no_other_run_down"
PHOTOS = "hostile/test_hostile_photos.py::test_every_picture_is_opened_by_the_readers_that_are_named"
MODELS = "hostile/test_hostile_models.py::test_every_model_is_loaded_from_safetensors_and_named_as_such"
GALLERY = "commands/test_pictures_come_home.py::test_a_gallery_that_can_not_be_is_refused_whole"
BUNDLES = "engine/bundle/test_bundles.py::test_a_hostile_bundle_writes_nothing_anywhere"
CONFIRMED = "hostile/test_a_strangers_project.py::test_a_confirmation_that_is_damaged_or_not_ours_confirms_nothing"
ANSWERS = "hostile/test_hostile_words.py::test_any_answer_of_a_language_model_is_read_or_left"
MODEL_SERVER = "hostile/test_hostile_words.py::test_any_bytes_from_a_model_s_server_are_an_answer_or_a_plain_error"
ROWS = "hostile/test_hostile_rows.py::test_an_embedding_that_is_none_is_left_out"
DATABASES = "hostile/test_odd_databases.py::test_whatever_a_server_answers_to_questions_is_one_line"
HTTP = "hostile/test_hostile_http.py::test_an_answer_nested_without_end_is_refused_with_a_reason"
DETECTION = "hostile/test_hostile_immich.py::test_what_answers_at_an_address_is_read_within_bounds"
LONG = "hostile/test_long_words.py::test_twice_the_text_takes_no_four_times_the_time"
HEADERS = "hostile/test_hostile_models.py::test_a_header_that_lies_is_refused_before_anything_is_made_of_it"
STORED = "hostile/test_links.py::test_a_database_that_is_a_link_is_not_opened"
NETWORK = "hostile/test_network.py::test_training_and_painting_with_what_is_here_reaches_for_nothing"
ORDERS = "hostile/test_secrets_in_places.py::test_an_older_order_that_holds_a_secret_travels_without_it"
ENDLESS = "hostile/test_endless_answers.py::test_a_language_model_that_says_nothing_of_use_is_given_up"
NULLS = "hostile/test_hostile_rows.py::test_rows_of_nothing_but_null_are_put_aside_and_the_good_one_stays"
RESOLVING = "hostile/test_endless_answers.py::test_ctrl_c_ends_the_waiting_for_a_host_s_address"
OPTIONS = "hostile/test_secrets_in_places.py::test_options_that_hold_a_secret_end_in_one_line_and_write_nothing"
XMP = "hostile/test_hostile_xmp.py::test_any_bytes_are_regions_or_a_plain_reason"

BOXES = "hostile/test_hostile_boxes.py::test_a_damaged_list_of_machines_is_kept_aside_and_told"
BOXES_DOCTOR = "hostile/test_hostile_boxes.py::test_a_doctor_that_talks_nonsense_fails_one_check"
BOXES_RUNS = "hostile/test_hostile_boxes.py::test_a_list_of_runs_that_is_none_is_refused_in_a_line"
BOXES_LOG = "hostile/test_hostile_boxes.py::test_what_is_no_line_of_a_log_is_passed_over"

PROVIDERS = "hostile/test_hostile_providers.py::test_any_answer_is_taken_or_refused_in_a_line"
SKYPILOT = "hostile/test_hostile_providers.py::test_a_skypilot_that_talks_nonsense_is_refused"
RENTALS = "hostile/test_hostile_providers.py::test_a_damaged_record_is_kept_aside_and_told_first"
BOXES_PICTURES = "hostile/test_hostile_boxes.py::test_a_machine_that_lies_of_a_picture_leaves_none"
BOXES_ORDERS = "hostile/test_hostile_boxes.py::test_orders_that_are_none_are_refused_in_a_line"
BOXES_CHOICE = "hostile/test_hostile_boxes.py::test_a_choice_of_machine_that_is_damaged_is_none"
INSTALLING = "hostile/test_hostile_providers.py::test_a_python_that_talks_nonsense_is_none"

OURS = "our own: it comes with Limner, or this machine says it"
"""In place of a test: no stranger writes it."""

FILES: dict[str, str] = {
    "engine.models.locate": MODELS,
    "engine.bundle.bundle": BUNDLES,
    "engine.bundle.contents": BUNDLES,
    "engine.bundle.gallery_file": GALLERY,
    "engine.bundle.leaving_out": ORDERS,
    "engine.bundle.opening": BUNDLES,
    "engine.bundle.packing": OURS,
    "engine.bundle.pictures": GALLERY,
    "engine.bundle.prompts": FILES_TEST,
    "engine.bundle.unbundle": BUNDLES,
    "engine.storage.backups": STORED,
    "engine.dataset.build": FILES_TEST,
    "engine.dataset.files.hand_edits": FILES_TEST,
    "engine.dataset.files.caption_file": FILES_TEST,
    "engine.dataset.captions.template": FILES_TEST,
    "engine.dataset.export": PHOTOS,
    "engine.dataset.files.layout": PHOTOS,
    "engine.dataset.captions.journal": FILES_TEST,
    "engine.dataset.captions.image_facts": STORED,
    "engine.dataset.files.manifest": FILES_TEST,
    "engine.dataset.build_plan": PHOTOS,
    "engine.dataset.captions.models.florence": MODELS,
    "engine.dataset.captions.models.blip": MODELS,
    "engine.dataset.captions.models.vision_answer": ANSWERS,
    "engine.dataset.captions.models.wd14": FILES_TEST,
    "engine.demo.faces": OURS,
    "engine.demo.identity": OURS,
    "engine.demo.index": OURS,
    "engine.doctor.base": MODELS,
    "engine.doctor.card": OURS,
    "engine.doctor.room": OURS,
    "engine.events": "hostile/test_hostile_logs.py::test_whatever_a_line_holds_it_is_an_entry_or_nothing",
    "engine.faces.detection.detector": MODELS,
    "engine.faces.records.measurement_store": STORED,
    "engine.faces.photo.loading": "hostile/test_hostile_photos.py::test_a_photo_is_seen_right_or_refused_with_a_reason",
    "engine.faces.photo.stored": "hostile/test_hostile_xmp.py::test_of_a_png_that_unpacks_without_end_is_refused",
    "engine.faces.regions.sources": XMP,
    "engine.faces.regions.xmp": XMP,
    "engine.jobs.folder": FILES_TEST,
    "engine.jobs.machine": OURS,
    "engine.library.photoprism_sql.embeddings": ROWS,
    "engine.library.web.session": HTTP,
    "engine.library.web.messages": HTTP,
    "engine.library.detection": DETECTION,
    "engine.library.photoprism_sql.opening": NULLS,
    "engine.library.connection.tls_pins": FILES_TEST,
    "engine.llm.server": MODEL_SERVER,
    "engine.models.folder_safety": FILES_TEST,
    "engine.pictures.painting.request": PHOTOS,
    "engine.pictures.gallery.export": PHOTOS,
    "engine.pictures.gallery.found_prompts": FILES_TEST,
    "engine.pictures.grid.sheet": PHOTOS,
    "engine.pictures.grid.store": STORED,
    "engine.pictures.likeness.job": PHOTOS,
    "engine.pictures.likeness.judge": PHOTOS,
    "engine.pictures.gallery.import_external": PHOTOS,
    "engine.pictures.orders.png_parameters": PHOTOS,
    "engine.pictures.orders.queue": STORED,
    "engine.pictures.likeness.scores": FILES_TEST,
    "engine.models.prediction": FILES_TEST,
    "engine.prompts.axes": FILES_TEST,
    "engine.prompts.shared_prompts": FILES_TEST,
    "engine.prompts.llm.answers": ANSWERS,
    "engine.prompts.store": STORED,
    "engine.prompts.tokenizer": FILES_TEST,
    "engine.remote.boxes": BOXES,
    "engine.remote.check": BOXES_DOCTOR,
    "engine.remote.limner_there": BOXES_RUNS,
    "engine.remote.mirror": BOXES_LOG,
    "engine.remote.own_wheel": OURS,
    "engine.remote.painter": BOXES_PICTURES,
    "engine.pictures.orders.painter_machine": BOXES_CHOICE,
    "tui.cli.commands.paint": BOXES_ORDERS,
    "engine.rent.access": OURS,
    "engine.rent.lease": OURS,
    "engine.rent.ledger": RENTALS,
    "engine.rent.providers.api": PROVIDERS,
    "engine.rent.providers.skypilot": SKYPILOT,
    # Runs on the rented machine, which is whose it is.
    "engine.rent.watchdog": OURS,
    "engine.settings.file": FILES_TEST,
    "engine.settings.renamed": FILES_TEST,
    "engine.settings.form": "hostile/test_hostile_logs.py::test_toml_of_endless_depth_is_refused_at_once",
    "engine.storage.migrations": OURS,
    "engine.storage.moved_projects": STORED,
    "engine.storage.untrusted_files": "hostile/test_hostile_logs.py::test_json_from_outside_has_bounds",
    "engine.storage.database": STORED,
    "engine.models.flow.loading": MODELS,
    "engine.models.flux2_klein.shape": MODELS,
    "engine.models.z_image.shape": MODELS,
    "engine.models.sdxl.loading": MODELS,
    "engine.models.sdxl.shape": MODELS,
    "engine.training.data.latent_cache": MODELS,
    "engine.models.device": OURS,
    "engine.training.data.images": PHOTOS,
    "engine.lora.file": HEADERS,
    "engine.lora.conversion.convert": OURS,
    "engine.lora.conversion.process": OURS,
    "engine.lora.header": FILES_TEST,
    "engine.training.runs.training_history": FILES_TEST,
    "engine.lora.scales": HEADERS,
    "engine.training.planning.benchmark_store": FILES_TEST,
    "engine.training.step.distributed": LOGS,
    "engine.training.runs.resume_state": "hostile/test_hostile_models.py::test_a_run_s_pickled_state_is_refused",
    "engine.security.trust": CONFIRMED,
    "tui.cli.run_options": OPTIONS,
    "tui.theming.appearance_cache": FILES_TEST,
    "tui.app.session_state": FILES_TEST,
    "tui.screens.dataset.text": PHOTOS,
    "tui.screens.grid.text": PHOTOS,
    "tui.theming.theme_file": FILES_TEST,
    "tui.widgets.thumbnails.cache": PHOTOS,
    "tui.theming.user_config": FILES_TEST,
}
"""Modules that read a file, or text that somebody else wrote, and the test with its hostile cases."""

SERVERS: dict[str, str] = {
    "engine.dataset.captions.models.model_files": NETWORK,
    "engine.network.bounded_http": ENDLESS,
    "engine.library.web.session": HTTP,
    "engine.library.photoprism_sql.opening": DATABASES,
    "engine.llm.server": MODEL_SERVER,
    "engine.rent.providers.api": "hostile/test_hostile_providers.py::test_an_answer_without_end_is_given_up",
    "engine.rent.watchdog": OURS,
    "engine.network.deadlines": ENDLESS,
    "engine.network.resolving": RESOLVING,
    "engine.library.photoprism_sql.bounded_mysql": DATABASES,
}
"""Modules that ask a server."""

TEXTS: dict[str, str] = {
    **{name.partition(",")[0]: LONG for name in PARSERS},
    # By way of one that is listed in ``parsers.py``.
    "engine.pictures.grid.ranges": LONG,
    "engine.prompts.breakdown": LONG,
    "engine.prompts.dynamicprompts_guard": LONG,
    "engine.security.secret_check": LONG,
    "engine.lora.module_names": LONG,
    "engine.lora.conversion.names": LONG,
    "engine.lora.conversion.convert": LONG,
    # A folder's own name, and what has a bound in its pattern.
    "engine.remote.start": OURS,
    "engine.remote.estimate": OURS,
    "engine.remote.install": INSTALLING,
    "engine.remote.painter": BOXES_PICTURES,
    "engine.rent.lease": OURS,
    "engine.rent.providers.fields": PROVIDERS,
    "engine.remote.limner_there": "hostile/test_hostile_boxes.py::test_a_run_s_name_that_climbs_or_commands_is_refused",
    # The words of an error, and an address that is redirected to: both are cut short before.
    "engine.library.immich.session": "hostile/test_hostile_immich.py::test_errors_words_are_short_and_whole",
    "engine.library.detection": "engine/library/test_detection.py::test_a_redirection_to_nowhere_is_one_short_line",
    # Names of files and folders, which no file system lets grow beyond 255 bytes, and of graphics cards.
    "engine.storage.backups": OURS,
    "engine.dataset.export": OURS,
    "engine.dataset.files.layout": OURS,
    "engine.dataset.regularisation": OURS,
    "engine.pictures.orders.orders": OURS,
    "engine.pictures.gallery.import_external": OURS,
    "engine.pictures.likeness.references": OURS,
    "engine.project": OURS,
    "engine.training.planning.gpus": OURS,
    "engine.training.data.examples": OURS,
    "engine.training.runs.start": OURS,
    # One word, or a pattern that has no repetition in it.
    "engine.dataset.readiness": OURS,
    "engine.models.flux2_klein.shape": OURS,
    "engine.models.z_image.shape": OURS,
    "engine.faces.selection.saved_filters": OURS,
    "engine.library.web.originals": OURS,
    "engine.lora.diffusers_loader": OURS,
    "engine.lora.families.klein": OURS,
    "engine.lora.layouts": OURS,
    "engine.lora.families.z_image": OURS,
    "tui.cli.report": OURS,
    "tui.screens.pictures.text": OURS,
    "tui.theming.user_config": FILES_TEST,
    # Source and output of this machine.
    "engine.doctor.card": OURS,
    "engine.jobs.start": OURS,
    "engine.settings.form": OURS,
    "engine.training.planning.benchmark_store": OURS,
}
"""Modules that take text apart by patterns."""
