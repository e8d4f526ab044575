from posezoo.evaluation.metric_table import COMPARED, METRICS, ranking_metric


def test_results_are_ranked_by_3d_where_all_have_it_and_else_by_2d():
    whole = {"error_2d_px": 3.0, "pa_mpjpe_mm": 40.0, "mpjpe_mm": 60.0}
    assert ranking_metric(whole, whole) == "mpjpe_mm"
    assert ranking_metric(whole, {"error_2d_px": 2.0}) == "error_2d_px"
    assert ranking_metric(whole, {"auc": 0.5}) is None
    assert ranking_metric({"auc": 0.5}, whole, any_of=True) == "mpjpe_mm"


def test_less_is_better_but_for_shares_of_right_joints():
    assert METRICS["mpjpe_mm"].loss(60.0) == 60.0
    assert METRICS["pck150"].loss(0.9) < METRICS["pck150"].loss(0.8)


def test_headings_have_units():
    assert COMPARED == {
        "mpjpe_mm": "MPJPE mm",
        "pa_mpjpe_mm": "PA-MPJPE mm",
        "error_2d_px": "2D error px",
    }
    assert METRICS["auc"].label == "AUC"
